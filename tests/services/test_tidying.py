"""Tables that nobody looks after: found, tidied, and left alone while somebody does."""

import pytest
import structlog
from sqlalchemy import text
from sqlmodel import SQLModel, col, insert, select, update

from db import tidying
from db.engine import Ledger
from db.models import User
from tasks import tidy
from tests.world import World

pytestmark = pytest.mark.services
MANY = 2000


@pytest.fixture
def database_url(postgresql_url: str) -> str:
    """SQLite leaves nothing behind."""
    return postgresql_url


@pytest.fixture(autouse=True)
def counted(ledger: Ledger) -> None:
    """What earlier tests did in the same database does not count."""
    tidying.tidy(ledger, *SQLModel.metadata.tables)


def people(ledger: Ledger, count: int) -> None:
    """So many, and each of them written anew, which leaves as many dead rows."""
    with ledger.write() as session:
        rows = [{"username": f"user{number}"} for number in range(count)]
        session.connection().execute(insert(User), rows)
    with ledger.write() as session:
        session.connection().execute(update(User).values(facts_at=1.0))
        session.connection().execute(text("SELECT pg_stat_force_next_flush()"))


def untidy(ledger: Ledger) -> list[str]:
    """What needs it."""
    with ledger.read() as session:
        return tidying.untidy(session)


def estimated(ledger: Ledger) -> int:
    """How many rows the server takes the table for: -1 before it has counted."""
    with ledger.read() as session:
        asked = text("SELECT reltuples FROM pg_class WHERE oid = '\"user\"'::regclass")
        return int(session.connection().execute(asked).scalar_one())


def dead(ledger: Ledger) -> int:
    """Its dead rows."""
    with ledger.read() as session:
        asked = text("SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname = 'user'")
        return int(session.connection().execute(asked).scalar_one())


def test_a_table_that_nobody_looks_after_is_tidied(world: World) -> None:
    """Its rows are counted, its dead ones are gone, and it is said; once."""
    people(world.ledger, MANY)
    assert untidy(world.ledger) == ["user"]
    assert dead(world.ledger) >= MANY

    with structlog.testing.capture_logs() as said:
        assert tidy.run(world.runtime()) == ["user"]

    assert {"event": "table.tidied", "table": "user", "log_level": "info"} in said
    assert dead(world.ledger) == 0
    assert estimated(world.ledger) >= MANY
    assert tidy.run(world.runtime()) == []


def test_a_table_with_little_to_do_is_left_to_autovacuum(ledger: Ledger) -> None:
    """Plans are made anew after it: not for some rows."""
    people(ledger, MANY // 4)
    assert untidy(ledger) == []


def test_a_process_that_stops_begins_no_other_table(world: World) -> None:
    """What is left is found a minute later."""
    people(world.ledger, MANY)
    rt = world.runtime()
    rt.stopping.set()

    assert tidy.run(rt) == []
    assert untidy(world.ledger) == ["user"]


def test_whoever_is_in_the_middle_of_a_transaction_is_not_waited_for(ledger: Ledger) -> None:
    """Nor do they wait: what they have written is there, and theirs to undo."""
    people(ledger, MANY)
    with ledger.write() as session:
        session.connection().execute(
            update(User).where(col(User.username) == "user1").values(facts_at=2.0)
        )
        tidying.tidy(ledger, "user")
    with ledger.read() as session:
        assert session.exec(select(User.username).where(col(User.facts_at) == 2.0)).all() == [
            "user1"
        ]


def test_a_table_that_is_locked_is_passed_over(ledger: Ledger) -> None:
    """A migration has it: the next minute will do."""
    people(ledger, MANY)
    before = dead(ledger)
    with ledger.write() as session:
        session.connection().execute(text('LOCK TABLE "user" IN ACCESS EXCLUSIVE MODE'))
        tidying.tidy(ledger, "user")
    assert dead(ledger) >= before


def test_the_limit_of_statements_holds_for_everybody_else(ledger: Ledger) -> None:
    """A vacuum may take long; the connection that was allowed to is given up."""
    tidying.tidy(ledger, "user")
    with ledger.read() as session:
        limits = {session.connection().exec_driver_sql("SHOW statement_timeout").scalar_one()}
    assert limits == {"30s"}
