"""Migrations make what the models say, once, and refuse what they do not know."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from db import schema
from db.engine import Ledger
from db.metadata import METADATA
from tests.tasks.scenes import at_once


def test_the_models_are_what_the_migrations_make(ledger: Ledger) -> None:
    """No table, column, index or constraint differs between the two."""
    with ledger.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, METADATA) == []


def test_a_migrated_database_is_left_alone(ledger: Ledger) -> None:
    """The second time there is nothing to do."""
    assert schema.migrate(ledger) is None


def test_a_newer_database_is_refused(ledger: Ledger) -> None:
    """A revision that this version does not know: nothing is changed, and it says what to do."""
    with ledger.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    try:
        with pytest.raises(schema.SchemaError, match=r"9999.*newer Waggle"):
            schema.migrate(ledger)
    finally:
        with ledger.engine.begin() as connection:
            connection.execute(
                text("UPDATE alembic_version SET version_num = :head"), {"head": schema.HEAD}
            )


def test_threads_that_migrate_at_once_take_turns(tmp_path: Path) -> None:
    """Three starts on one empty file: one migrates, none fails."""

    def migrate(_number: int) -> bool:
        ledger = Ledger(f"sqlite:///{tmp_path}/new.db")
        try:
            return schema.migrate(ledger) is not None
        finally:
            ledger.close()

    assert sorted(at_once(3, migrate)) == [False, False, True]
