"""Linking: people are who Beeminder says they are, also when names change hands."""

from sqlmodel import select

from db.models import User
from webhooks import linking
from webhooks.services import Identity


def _link(ledger, vault, identity, *, token):
    with ledger.write() as session:
        linking.link(session, vault, identity=identity, token=token, now=5.0)
    with ledger.read() as session:
        return {user.beeminder_id: user for user in session.exec(select(User))}


def test_a_declared_person_is_adopted_by_name(ledger, vault):
    """Somebody whom a file declared keeps their row, in any case of letters."""
    with ledger.write() as session:
        session.add(User(username="Alice", token_kind="personal", token_version=3))

    users = _link(ledger, vault, Identity("u1", "alice", None), token="t")

    assert list(users) == ["u1"]
    assert (users["u1"].id, users["u1"].token_kind, users["u1"].token_version) == (1, "oauth", 4)


def test_a_name_that_changed_hands_gives_no_access(ledger, vault):
    """Whoever has taken over a name does not get the things of the one before."""
    with ledger.write() as session:
        session.add(User(beeminder_id="old", username="alice", token_cipher="c"))

    users = _link(ledger, vault, Identity("new", "alice", None), token="t")

    assert users["new"].username == "alice"
    assert users["old"].id != users["new"].id
    assert users["old"].username != "alice"
    assert users["old"].token_cipher == "c"


def test_a_new_name_is_followed(ledger, vault):
    """A renamed person stays the same person, also if their new name stood in a file."""
    with ledger.write() as session:
        session.add(User(beeminder_id="u1", username="before", timezone="UTC"))
        session.add(User(username="after"))

    users = _link(ledger, vault, Identity("u1", "after", None), token="t")

    assert (users["u1"].id, users["u1"].username, users["u1"].timezone) == (1, "after", "UTC")
    assert users[None].username != "after"


def test_a_new_login_overwrites_the_token(ledger, vault):
    """Beeminder keeps one token per person and app: the old one is dead."""
    _link(ledger, vault, Identity("u1", "alice", None), token="first")
    users = _link(ledger, vault, Identity("u1", "alice", None), token="second")

    assert vault.decrypt(users["u1"].token_cipher) == "second"
    assert users["u1"].token_hash == vault.fingerprint("second")
