"""The launcher's own promises that need no server; the conformance ring tests the rest."""

import base64
import hashlib
import hmac
import json

import pytest

from simulators import postgres, real_bemserver, real_bemserver_install


def test_without_postgresql_nothing_is_installed(tmp_path, monkeypatch):
    """Where there is no PostgreSQL it says so at once instead of after half a minute of pip."""
    monkeypatch.setattr(postgres, "programs", lambda _folders=None: None)
    server = real_bemserver.RealBemserver(tmp_path, postgres_port=1)
    with pytest.raises(postgres.NoPostgres):
        server.__enter__()
    assert not (tmp_path / "venv").exists()


def test_tokens_are_signed_with_the_servers_key(tmp_path):
    """A token is a JWT of three parts whose HS256 signature fits the secret of this server."""
    server = real_bemserver.RealBemserver(tmp_path)
    head, payload, signature = server.token("a@b.test", kind="refresh", expires_in=-5).split(".")
    key = server.secret.encode()
    digest = hmac.new(key, f"{head}.{payload}".encode(), hashlib.sha256).digest()
    assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == signature
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    assert (claims["email"], claims["type"]) == ("a@b.test", "refresh")
    assert real_bemserver.RealBemserver(tmp_path).secret != server.secret


def test_the_lock_pins_every_package_with_hashes_and_names_no_index():
    """The lock pins both packages of BEMServer, and nothing in it depends on a certain machine."""
    text = real_bemserver_install.LOCK.read_text()
    assert "bemserver-api==0.27.0 \\\n    --hash=sha256:" in text
    assert "bemserver-core==0.22.0 \\\n    --hash=sha256:" in text
    assert "://" not in text
    pins = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
    assert all("==" in pin and pin.endswith("\\") for pin in pins)
