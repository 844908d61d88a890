"""A block's session is its connection, until somebody wants more of it."""

import pytest
from sqlalchemy import text
from sqlmodel import select

from db.engine import Ledger
from db.models import User


def names(ledger: Ledger) -> list[str]:
    """Who is there."""
    with ledger.read() as session:
        return sorted(session.exec(select(User.username)))


def test_statements_need_no_session(ledger: Ledger) -> None:
    """None is made for a block that asks by its connection only."""
    with ledger.read() as session:
        session.connection().execute(text("SELECT 1"))
        assert session._session is None  # type: ignore[attr-defined]
        session.exec(select(User)).all()
        assert session._session is not None  # type: ignore[attr-defined]


def test_what_is_added_is_seen_by_statements_and_committed(ledger: Ledger) -> None:
    """In the order in which it was done, without a word of whoever added it."""
    with ledger.write() as session:
        session.add(User(username="alice"))
        session.flush()
        session.connection().execute(text("UPDATE \"user\" SET username = 'bob'"))
        session.add(User(username="carol"))

    assert names(ledger) == ["bob", "carol"]


def test_what_was_undone_is_not_committed(ledger: Ledger) -> None:
    """By either way, whatever the block did before."""
    with ledger.write() as session:
        session.add(User(username="alice"))
        session.flush()
        session.connection().execute(text("UPDATE \"user\" SET username = 'bob'"))
        session.rollback()

    assert names(ledger) == []


def test_a_block_that_fails_while_it_ends_leaves_nothing(ledger: Ledger) -> None:
    """What is added last is refused when it is sent: nothing of the block is there."""
    with ledger.write() as session:
        session.add(User(username="alice"))

    def twice() -> None:
        with ledger.write() as session:
            session.connection().execute(text("UPDATE \"user\" SET username = 'bob'"))
            session.add(User(username="carol", id=1))

    with pytest.raises(Exception, match="user"):
        twice()
    assert names(ledger) == ["alice"]
