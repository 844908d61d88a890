"""Promises of `waggle restore`: all of it or nothing, and no secret is lost without a word."""

import stat
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from tests.worker.cli.conftest import Waggle


@pytest.fixture
def home(applied, folder):
    """Commands in a new and empty home with a database of its own, and no keys set."""
    applied("backup", "b.zip")
    applied("backup", "--with-keys", "k.zip")
    gone = ("WAGGLE_SECRET_KEYS", "WAGGLE_CALLBACK_SECRETS", "DATABASE_URL")
    env = {name: value for name, value in applied.env.items() if name not in gone}
    return Waggle(env | {"WAGGLE_HOME": str(folder / "new")})


def test_a_backup_with_keys_brings_a_home_along(home, applied, folder):
    """Feeds, the reminder address and the callback secret are as they were."""
    told = home("restore", "k.zip").stdout
    assert "1 people, 1 sources, 2 feeds" in told
    assert "looked at before anything is written" in told
    assert home("hook", "alice").stdout == applied("hook", "alice").stdout
    key = folder / "new" / "secret.key"
    assert key.read_text().strip() == applied.env["WAGGLE_SECRET_KEYS"]
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    secret = (folder / "new" / "callback.secret").read_text().strip()
    assert secret == applied.env["WAGGLE_CALLBACK_SECRETS"]
    assert home.json("keys", "status")["secrets_by_key"] == [3]


def test_without_the_key_nothing_is_changed(home):
    """Whose secrets these are, and what to do about it."""
    said = home.refusal("restore", "b.zip")
    assert "user alice, source plant" in said
    assert "--keys-from" in said
    assert "--without-secrets" in said
    assert home.json("status")["users"] == []


@pytest.mark.parametrize("kind", [".env", "secret.key", "k.zip"])
def test_keys_come_from_a_file(home, applied, folder, kind):
    """Secrets are rewritten under this home's own key."""
    key = applied.env["WAGGLE_SECRET_KEYS"]
    (folder / "old.env").write_text(f"# ours\nWAGGLE_SECRET_KEYS={key}\n")
    (folder / "old.key").write_text(f"{key}\n")
    home.env["WAGGLE_SECRET_KEYS"] = Fernet.generate_key().decode()
    source = {".env": "old.env", "secret.key": "old.key", "k.zip": "k.zip"}[kind]
    told = home("restore", "b.zip", "--keys-from", source).stdout
    assert "3 secrets were rewritten" in told
    assert home.json("keys", "status") == {"secrets_by_key": [3], "unreadable": []}
    assert home("hook", "alice").stdout == applied("hook", "alice").stdout


def test_without_secrets_it_is_asked_and_told(home):
    """Nobody is there to say yes: nothing was changed. With --yes people connect again."""
    assert "connected again" in home.refusal("restore", "b.zip", "--without-secrets", status=1)
    told = home("restore", "b.zip", "--without-secrets", "--yes").stdout
    assert "to connect or enter again: user alice, source plant" in told
    assert home.json("status")["users"] == [{"username": "alice", "state": "reauthorize"}]


def test_a_full_database_is_replaced_only_after_a_copy(applied, folder):
    """The copy can be restored again."""
    applied("backup", "b.zip")
    said = applied.refusal("restore", "b.zip")
    assert "not empty" in said
    assert "--replace" in said
    found = applied.json("restore", "b.zip", "--replace", "--yes")
    copy = found["copy"]
    assert stat.S_IMODE(Path(copy).stat().st_mode) == 0o600
    assert applied.json("restore", copy, "--replace", "--yes")["rows"]["feed"] == 2
    (folder / "b.zip").write_bytes(b"PK\x03\x04 half a backup")
    assert "no backup of Waggle" in applied.refusal("restore", "b.zip")


def test_another_callback_secret_is_told(home):
    """The addresses that are registered would be answered 404."""
    home.env["WAGGLE_CALLBACK_SECRETS"] = "another-secret-of-this-home"
    assert "registered at Beeminder" in home("restore", "k.zip").stderr


def test_a_file_without_keys_is_refused(home, folder):
    """With what it may be."""
    (folder / "empty").write_text("nothing")
    assert "secret.key" in home.refusal("restore", "b.zip", "--keys-from", "empty")
