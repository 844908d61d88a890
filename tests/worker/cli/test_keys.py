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


def test_it_is_told_which_key_may_go(applied):
    """Before the rotation the old key is needed, after it it is not."""
    old, new = applied.env["WAGGLE_SECRET_KEYS"], Fernet.generate_key().decode()
    applied.env["WAGGLE_SECRET_KEYS"] = f"{new},{old}"
    assert applied.json("keys", "status") == {"secrets_by_key": [0, 3], "unreadable": []}
    applied("keys", "rotate")
    assert applied.json("keys", "status") == {"secrets_by_key": [3, 0], "unreadable": []}
    assert "key 2: 0 secrets; it may be taken out" in applied("keys", "status").stdout
    assert "3 of them were already" in applied("keys", "rotate").stdout


def test_a_key_that_is_missing_is_told_by_the_status(applied):
    """Exit status 1, and whose secrets can't be read."""
    applied.env["WAGGLE_SECRET_KEYS"] = Fernet.generate_key().decode()
    assert "user alice" in applied("keys", "status", status=1).stderr
