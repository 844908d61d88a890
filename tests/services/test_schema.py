"""Migrating on PostgreSQL: who migrates at once takes turns, and nobody waits long for it."""

import contextlib
from collections.abc import Iterator

import psycopg
import pytest
from alembic import command

from db import schema
from db.engine import Ledger
from db.schema import Migration, SchemaError
from simulators import postgres
from tests.services import postgresql
from tests.tasks.scenes import at_once

pytestmark = pytest.mark.services


@pytest.fixture
def new_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a database without tables."""
    home = tmp_path_factory.mktemp("new")
    with (
        postgresql.running(home) as connection,
        postgres.database(connection, prefix="waggle_test") as name,
    ):
        yield postgresql.url_of(connection, name)


def test_processes_that_migrate_at_once_take_turns(new_url: str) -> None:
    """Four processes start together on an empty database: one migrates, none fails."""

    def migrate(_number: int) -> bool:
        ledger = Ledger(new_url)
        try:
            return schema.migrate(ledger) is not None
        finally:
            ledger.close()

    assert sorted(at_once(4, migrate)) == [False, False, False, True]


def test_callbacks_do_not_wait_behind_a_migration_that_waits(
    new_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dump holds a table: the migration gives up, changes nothing, and says what to do."""
    monkeypatch.setattr(schema, "LOCK_SECONDS", 0.2)
    with contextlib.closing(Ledger(new_url)) as ledger:
        with ledger.engine.begin() as connection:
            command.upgrade(schema.configuration(connection), "0001")
        with psycopg.connect(new_url) as dump:
            dump.execute("LOCK TABLE feed IN ACCESS SHARE MODE")
            with pytest.raises(SchemaError, match=r"in use for 0\.2 s, by pg_dump .* try again"):
                schema.migrate(ledger)
            (at,) = dump.execute("SELECT version_num FROM alembic_version").fetchall()
        done = schema.migrate(ledger)

    assert at == ("0001",)
    assert done == Migration("0001", None)
