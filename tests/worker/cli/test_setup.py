"""Promises of init, login and hook: fresh keys, nothing lost, links that work once."""

import re
import stat

import pytest
from cryptography.fernet import Fernet
from sqlmodel import select

from db.models import LoginLink, User
from worker import settings


@pytest.fixture
def bare(waggle):
    """Commands of a machine that has no keys set."""
    del waggle.env["WAGGLE_SECRET_KEYS"], waggle.env["WAGGLE_CALLBACK_SECRETS"]
    return waggle


def stored(folder):
    """What .env says."""
    return settings.environment({}, folder / ".env")


def test_init_writes_keys_and_prints_three_urls(bare, folder):
    """The file is private, its keys work, the URLs hold the secret that the file holds."""
    done = bare("init").stdout
    found = stored(folder)
    Fernet(found["WAGGLE_SECRET_KEYS"])
    assert stat.S_IMODE((folder / ".env").stat().st_mode) == 0o600
    secret = found["WAGGLE_CALLBACK_SECRETS"]
    assert re.findall(r"https://\S+", done) == [
        f"https://waggle.example.org/beeminder/autofetch/{secret}",
        f"https://waggle.example.org/beeminder/deauthorized/{secret}",
        "https://waggle.example.org/beeminder/callback",
    ]
    assert found["WAGGLE_SECRET_KEYS"] not in done
    assert not (folder / "var" / "secret.key").exists()


def test_init_does_not_overwrite(bare, folder):
    """A second init is refused, and the file is as it was."""
    bare("init")
    before = (folder / ".env").read_text()
    assert "--force" in bare.refusal("init")
    assert (folder / ".env").read_text() == before


def test_force_keeps_what_is_in_use(bare, folder):
    """Fresh keys in front, the old ones behind them, every other line as it was."""
    (folder / ".env").write_text(
        "# mine\nPLANT_PASSWORD='a b'\nexport WAGGLE_CALLBACK_SECRET=old-one-in-use\n"
    )
    bare("init", "--force")
    first = stored(folder)
    assert first["WAGGLE_CALLBACK_SECRETS"].endswith(",old-one-in-use")
    assert "WAGGLE_CALLBACK_SECRET" not in first
    bare("init", "--force")
    second = stored(folder)
    assert second["WAGGLE_SECRET_KEYS"].endswith(f",{first['WAGGLE_SECRET_KEYS']}")
    assert second["PLANT_PASSWORD"] == "a b"
    assert (folder / ".env").read_text().startswith("# mine\n")


def test_keys_of_an_earlier_start_stay_in_the_ring(bare, file, folder):
    """Whoever ran without .env first does not lose the stored tokens by an init."""
    bare("apply", str(file))
    before = bare("hook", "alice").stdout
    made = (folder / "var" / "secret.key").read_text().strip()
    bare("init")
    assert stored(folder)["WAGGLE_SECRET_KEYS"].endswith(f",{made}")
    assert bare("hook", "alice").stdout == before


def test_a_bad_address_is_refused_before_anything_is_written(bare, folder):
    """`--public-url` is checked like the setting."""
    assert "WAGGLE_PUBLIC_URL" in bare.refusal("init", "--public-url", "waggle.example.org")
    assert not (folder / ".env").exists()


def test_a_given_address_is_stored(bare, folder):
    """The environment wins over .env, as always; without it the file counts."""
    del bare.env["WAGGLE_PUBLIC_URL"]
    done = bare("init", "--public-url", "https://w.example.org/").stdout
    assert "https://w.example.org/beeminder/callback" in done


def test_login_prints_a_link_whose_secret_is_only_hashed(waggle, ledger, vault):
    """The last line is the link; the ledger knows it by its hash, for 15 minutes."""
    link = waggle("login").stdout.strip()
    secret = link.removeprefix("https://waggle.example.org/login/")
    assert secret != link
    with ledger.read() as session:
        row = session.exec(select(LoginLink)).one()
    assert row.secret_hash == vault.fingerprint(secret)
    assert secret not in repr(row)
    assert (row.username, row.used_at) == ("operator", None)


def test_login_as_somebody(applied, ledger):
    """`--user` has to be known."""
    applied("login", "--user", "Alice")
    with ledger.read() as session:
        assert session.exec(select(LoginLink)).one().username == "alice"
    assert "did you mean 'alice'?" in applied.refusal("login", "--user", "alise")


def test_hook_prints_the_address_that_apply_printed(applied, file, ledger):
    """The same URL each time, also for a person who never stood in a file."""
    url = applied("hook", "ALICE").stdout.strip()
    assert url in applied("apply", str(file)).stdout
    with ledger.write() as session:
        session.add(User(username="bob"))
    made = applied("hook", "bob").stdout
    assert made == applied("hook", "bob").stdout
    assert "/beeminder/reminder/" in made
    assert "there is no user 'carol'" in applied.refusal("hook", "carol")
