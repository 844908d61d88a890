"""Words for the driver: sent as they are, and their errors are SQLAlchemy's."""

import pytest
from sqlalchemy.exc import DBAPIError

from db import wire
from db.engine import Ledger


def test_words_are_sent(ledger: Ledger) -> None:
    """A name for a place to go back to is known afterwards, by both databases."""
    with ledger.write() as session:
        wire.say(session.connection(), "SAVEPOINT here")
        wire.say(session.connection(), "ROLLBACK TO SAVEPOINT here")


def test_an_error_is_one_of_sqlalchemys(ledger: Ledger) -> None:
    """Whoever goes on when the database is away, or lets a block end, knows only these."""
    with pytest.raises(DBAPIError), ledger.write() as session:
        wire.say(session.connection(), "ROLLBACK TO SAVEPOINT nowhere")


def test_words_that_failed_are_said_by_another_cursor(ledger: Ledger) -> None:
    """Nothing of a failure is kept for the next time."""
    for _ in range(2):
        with pytest.raises(DBAPIError), ledger.write() as session:
            wire.say(session.connection(), "ROLLBACK TO SAVEPOINT nowhere")
    with ledger.write() as session:
        kept = session.connection().info[wire.CURSORS]
        assert "ROLLBACK TO SAVEPOINT nowhere" not in kept
