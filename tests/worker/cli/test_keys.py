"""Promises of `waggle keys rotate`: the old key may be taken out of the settings afterwards."""

from cryptography.fernet import Fernet


def test_the_old_key_may_go(applied):
    """The reminder URL, which is decrypted, is the same under the new key alone."""
    before = applied("hook", "alice").stdout
    old, new = applied.env["WAGGLE_SECRET_KEYS"], Fernet.generate_key().decode()
    applied.env["WAGGLE_SECRET_KEYS"] = f"{new},{old}"
    assert "3 secrets" in applied("keys", "rotate").stdout
    applied.env["WAGGLE_SECRET_KEYS"] = new
    assert applied("hook", "alice").stdout == before


def test_a_lost_key_is_told(applied):
    """Exit status 1, whose secrets can't be read, and the setting."""
    applied.env["WAGGLE_SECRET_KEYS"] = Fernet.generate_key().decode()
    said = applied("keys", "rotate", status=1).stderr
    assert "WAGGLE_SECRET_KEYS" in said
    assert "user alice, source plant" in said
