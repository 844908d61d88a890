"""A person's link, as requests read it."""

from db import links
from db.engine import Ledger
from db.models import User


def test_a_link_is_that_of_the_row(ledger: Ledger) -> None:
    """Read by columns or taken from the row that was read: the same."""
    with ledger.write() as session:
        user = User(username="alice", token_cipher="secret", token_kind="oauth", token_version=3)
        session.add(user)
        session.flush()
        expected = links.link_of(user)

    with ledger.read() as session:
        assert links.of(session, expected.id) == expected
    assert expected[1:] == ("alice", user.state, "oauth", "secret", 3)


def test_of_nobody_there_is_none(ledger: Ledger) -> None:
    """Who has left has no link."""
    with ledger.read() as session:
        assert links.of(session, 99) is None
