"""How PostgreSQL plans what is asked: once for what is named once, and for its values otherwise."""

import contextlib
from typing import Any

import pytest
from sqlalchemy import Connection, Select, bindparam, select, text, update
from sqlmodel import Session, col

from db import once, planning
from db.engine import AWAY, Ledger
from db.models import User
from db.once import Once

pytestmark = pytest.mark.services
WHERE = col(User.username) == bindparam("name")
NAMED = Once(select(col(User.id)).where(WHERE))
BY_VALUE = Once(select(col(User.token_version)).where(WHERE), by_value=True)
RENAMED = Once(update(User).where(WHERE).values(username="bob"))
ALICE = {"name": "alice"}


def plans(connection: Connection, words: str) -> tuple[int, int]:
    """How often a prepared statement was planned for whatever may be given, and for its values."""
    asked = connection.exec_driver_sql(
        "SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE statement LIKE %s",
        (f"{words}%",),
    )
    (row,) = asked.all()
    return row.generic_plans, row.custom_plans


def mode(session: Session) -> Any:
    """The mode of this connection, as the server has it."""
    return session.connection().exec_driver_sql("SHOW plan_cache_mode").scalar_one()


@pytest.fixture
def database_url(postgresql_url: str) -> str:
    """SQLite plans when a statement is prepared, and knows no modes."""
    return postgresql_url


def test_what_is_named_once_is_planned_once(ledger: Ledger) -> None:
    """From the first time on, and not for the values of some times before that."""
    with ledger.read() as session:
        for _ in range(3):
            NAMED.ask(session, ALICE)
        assert plans(session.connection(), 'SELECT "user".id') == (3, 0)


def test_what_depends_on_its_values_is_planned_for_them(ledger: Ledger) -> None:
    """Also beside what does not."""
    with ledger.read() as session:
        for _ in range(3):
            BY_VALUE.ask(session, ALICE)
            NAMED.ask(session, ALICE)
        assert plans(session.connection(), 'SELECT "user".token_version') == (0, 3)
        assert plans(session.connection(), 'SELECT "user".id') == (3, 0)


def test_what_is_made_for_one_ask_is_planned_for_its_values(ledger: Ledger) -> None:
    """A page that lists what somebody looked for may be about few rows or about most."""
    with ledger.read() as session:
        NAMED.ask(session, ALICE)
        assert mode(session) == planning.ONCE
        session.connection().execute(select(col(User.id)).where(col(User.username) == "alice"))
        assert mode(session) == planning.ANEW


def test_a_transaction_that_is_undone_leaves_no_wrong_mode(ledger: Ledger) -> None:
    """What was set in it is not any more: it is set again, and not believed."""
    with ledger.read() as session:
        BY_VALUE.ask(session, ALICE)
    with contextlib.suppress(ZeroDivisionError), ledger.write() as session:
        RENAMED.ask(session, ALICE)
        raise ZeroDivisionError
    with ledger.read() as session:
        NAMED.ask(session, ALICE)
        assert mode(session) == planning.ONCE


@pytest.mark.parametrize("ask", [BY_VALUE, select(col(User.id)).where(WHERE)], ids=["once", "anew"])
def test_a_server_that_goes_away_before_it_is_told_how_is_away(
    ledger: Ledger, ask: Once | Select[tuple[int]]
) -> None:
    """The error is one of those that say so, and not the driver's own."""
    with ledger.read() as session, ledger.read() as other:
        NAMED.ask(session, ALICE)
        ended = text("SELECT pg_terminate_backend(:pid)")
        driver: Any = session.connection().connection.driver_connection
        other.connection().execute(ended, {"pid": driver.info.backend_pid})
        with pytest.raises(AWAY) as caught:
            once.ask(session, ask, ALICE)
    assert caught.value.connection_invalidated  # type: ignore[union-attr] # not of a pool that is empty
