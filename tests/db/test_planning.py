"""How often a server is told how to plan; what comes of it is in `tests/services`."""

from sqlalchemy import bindparam, select
from sqlmodel import col

from db import planning
from db.engine import Ledger
from db.models import User
from db.once import Once
from tests.db.counting import all_statements

NAMED = Once(select(col(User.id)).where(col(User.username) == bindparam("name")))
ALICE = {"name": "alice"}


def test_the_mode_is_set_when_it_changes_and_not_each_time(ledger: Ledger) -> None:
    """A callback asks forty times, all in one mode; and SQLite is told nothing."""
    with ledger.read() as session:
        NAMED.ask(session, ALICE)
    with all_statements(ledger) as sent, ledger.read() as session:
        for _ in range(3):
            NAMED.ask(session, ALICE)
    assert len(sent) == 3


def test_sqlite_has_no_mode(ledger: Ledger) -> None:
    """It is told nothing."""
    with ledger.read() as session:
        NAMED.ask(session, ALICE)
        assert (planning.MODE in session.connection().info) is not ledger.is_sqlite
