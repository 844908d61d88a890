"""A statement that waits for no disk is a transaction all the same, and changes no other one."""

import pytest
from sqlalchemy import bindparam, text, update
from sqlmodel import col, select

from db import hasty
from db.engine import Ledger
from db.models import User
from db.once import Once

RENAMING = Once(
    update(User)
    .where(col(User.username) == "alice")
    .values(username=bindparam("becomes"))
    .returning(col(User.username), hasty.said())
)


@pytest.fixture
def alice(ledger: Ledger) -> Ledger:
    """She is there."""
    with ledger.write() as session:
        session.add(User(username="alice"))
    return ledger


def test_it_is_there_when_the_block_ends(alice: Ledger) -> None:
    """Nobody has to commit it."""
    with alice.write_one(durable=False) as session:
        (row,) = RENAMING.ask(session, {"becomes": "carol"})

    assert tuple(row) == ("carol", None if alice.is_sqlite else "off")
    with alice.read() as session:
        assert session.exec(select(User.username)).all() == ["carol"]


def test_whoever_comes_after_it_waits_for_the_disk(postgresql_url: str) -> None:
    """It is said of one statement, also where the connection is the same."""
    ledger, asked = Ledger(postgresql_url, pool=1), text("SHOW synchronous_commit")
    with ledger.write_one() as session:
        # The databases of tests wait for no disk.
        session.connection().execute(text("SET synchronous_commit TO on"))
    with ledger.write() as session:
        session.add(User(username="alice"))
    with ledger.write_one(durable=False) as session:
        assert RENAMING.ask(session, {"becomes": "carol"}).one()[1] == "off"

    with ledger.write_one() as session:
        assert session.connection().execute(asked).scalar_one() == "on"
    ledger.close()
