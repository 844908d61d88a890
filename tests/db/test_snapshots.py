"""One moment of the ledger: however long it is read, and whatever is written meanwhile."""

from sqlmodel import select

from db import snapshots
from db.engine import Ledger
from db.models import User


def test_what_is_written_meanwhile_is_not_seen(ledger: Ledger) -> None:
    """Nobody waits, and the next one sees it."""
    with ledger.write() as session:
        session.add(User(username="alice"))
    names = select(User.username).order_by(User.username)
    with snapshots.take(ledger) as connection:
        assert connection.execute(names).scalars().all() == ["alice"]
        with ledger.write() as session:
            session.add(User(username="bob"))
        assert connection.execute(names).scalars().all() == ["alice"]
    with snapshots.take(ledger) as connection:
        assert connection.execute(names).scalars().all() == ["alice", "bob"]


def test_the_next_reader_gets_an_ordinary_connection(ledger: Ledger) -> None:
    """What was allowed for long reads does not stay with it."""
    with snapshots.take(ledger) as connection:
        connection.execute(select(User.id))
    with ledger.write() as session:
        session.add(User(username="alice"))
    if not ledger.is_sqlite:
        with ledger.read() as session:
            asked = session.connection().exec_driver_sql("SHOW statement_timeout")
            assert asked.scalar_one() == "30s"
