"""A migration waits for whoever works on the tables, and ends nobody."""

import contextlib
import threading
import time
from collections.abc import Iterator

import psycopg
import pytest
from alembic import command

from db import schema, schema_locks
from db.engine import Ledger
from db.schema import Migration, SchemaError
from simulators import postgres
from tests.services import postgresql

pytestmark = pytest.mark.services

WAITING = (
    "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database "
    "WHERE datname = current_database() AND NOT granted"
)


@pytest.fixture
def old(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    """A PostgreSQL database of the first version."""
    with (
        postgresql.running(tmp_path_factory.mktemp("old")) as connection,
        postgres.database(connection, prefix="waggle_test") as name,
        contextlib.closing(Ledger(postgresql.url_of(connection, name))) as ledger,
    ):
        with ledger.engine.begin() as connected:
            command.upgrade(schema.configuration(connected), "0001")
        yield ledger


def session(ledger: Ledger) -> psycopg.Connection[tuple[object, ...]]:
    """A transaction of somebody else, who waits at most ten seconds for anything."""
    url = ledger.url.set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(url, options="-c statement_timeout=10000")


def until_somebody_waits(ledger: Ledger) -> None:
    """Until one transaction wants what another one has."""
    ends_at = time.monotonic() + 20
    with session(ledger) as looking:
        while looking.execute(WAITING).fetchone() == (0,):
            looking.rollback()
            assert time.monotonic() < ends_at


@pytest.mark.parametrize(("first", "then"), [("user", "datapoint"), ("datapoint", "user")])
def test_whoever_works_is_not_ended_by_a_migration(
    old: Ledger, monkeypatch: pytest.MonkeyPatch, first: str, then: str
) -> None:
    """A worker holds one table and wants another, in either order: it gets it, then we migrate."""
    monkeypatch.setattr(schema_locks, "PATIENCE_SECONDS", 60.0)
    done: list[Migration | None] = []
    migrating = threading.Thread(target=lambda: done.append(schema.migrate(old)))
    with session(old) as working:
        working.execute(f'LOCK TABLE "{first}" IN ACCESS SHARE MODE')
        migrating.start()
        until_somebody_waits(old)
        working.execute(f'LOCK TABLE "{then}" IN ACCESS SHARE MODE')
        working.commit()
    migrating.join(60)

    assert done == [Migration("0001", None)]


def test_a_migration_does_not_wait_for_ever(old: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dump holds a table: the migration gives up, changes nothing, and says what to do."""
    monkeypatch.setattr(schema_locks, "PATIENCE_SECONDS", 0.2)
    with session(old) as dump:
        dump.execute("LOCK TABLE feed IN ACCESS SHARE MODE")
        with pytest.raises(SchemaError, match=r"such as pg_dump .*nothing was changed.*try again"):
            schema.migrate(old)
        assert dump.execute("SELECT version_num FROM alembic_version").fetchall() == [("0001",)]
    assert schema.migrate(old) == Migration("0001", None)


def test_a_migration_may_take_its_time_once_it_has_the_tables(old: Ledger) -> None:
    """The limit on waiting for tables is not left on what comes after."""
    with old.engine.begin() as connection:
        assert schema_locks.take_all(connection)
        (limit,) = connection.exec_driver_sql("SHOW statement_timeout").fetchall()
    assert limit == ("0",)


def test_tables_of_others_are_not_ours_to_take(old: Ledger) -> None:
    """Who shares the database and uses a table of their own is not waited for."""
    with session(old) as other:
        other.execute("CREATE TABLE mine (id INTEGER)")
        other.commit()
        other.execute("LOCK TABLE mine IN ACCESS EXCLUSIVE MODE")
        assert schema.migrate(old) == Migration("0001", None)
