"""One row or many: the same answer, whichever of the two statements gives it."""

import pytest
from sqlalchemy import select
from sqlmodel import col

from db.engine import Ledger
from db.models import User
from db.one_or_many import OneOrMany, fixed
from tests.db.counting import statements

NAMES = OneOrMany(
    lambda among: select(col(User.username)).where(among(col(User.username))).order_by(User.id)
)


@pytest.mark.parametrize("asked", [[], ["alice"], ["bob", "alice"], {"alice", "carol", "nobody"}])
def test_what_is_among_them_is_found(ledger: Ledger, asked: list[str] | set[str]) -> None:
    """None, one or several are asked for."""
    people = ("alice", "bob", "carol")
    with ledger.write() as session:
        session.add_all([User(username=name) for name in people])
        session.flush()

        found = NAMES.ask(session, asked).scalars().all()

    assert found == [name for name in people if name in asked]


def test_one_is_compared_and_not_searched_in_a_list(ledger: Ledger) -> None:
    """A list is written out anew each time, a comparison once, and so is an array."""
    with ledger.read() as session, statements(ledger) as sent:
        NAMES.ask(session, ["alice"])
        NAMES.ask(session, ["alice", "bob"])
        NAMES.ask(session, ["alice", "bob", "carol"])

    one, two, three = sent
    assert [" IN " in one, " IN " in three] == [False, ledger.is_sqlite]
    assert (two == three) is not ledger.is_sqlite


def test_a_list_that_never_changes_is_written_out_at_once() -> None:
    """Nothing of it is left open until it is sent."""
    condition = fixed(col(User.state), ("active", "gone"))

    assert "POSTCOMPILE" not in str(condition.compile())
    assert "POSTCOMPILE" in str(col(User.state).in_(("active", "gone")).compile())
