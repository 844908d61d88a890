"""One migrated PostgreSQL database for the whole run, emptied before each test that uses it."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import conninfo, sql

from db import schema
from db.engine import Ledger
from db.metadata import METADATA
from simulators import postgres

# `ALTER SEQUENCE … RESTART` would write a new file for each of them. All of them: `last_value` is
# NULL also where a sequence was told to go on from another number, and has not done so yet.
RESTART = (
    "SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, start_value, false) "
    "FROM pg_sequences WHERE schemaname = 'public'"
)
OTHERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


def migrated_database(home: Path) -> Iterator[str]:
    """The URL of a database with every table; skips when there is no PostgreSQL to use."""
    with running(home) as connection, postgres.database(connection, prefix="waggle_test") as name:
        url = url_of(connection, name)
        with psycopg.connect(url, autocommit=True) as session:
            # No test of this ring cuts the power: what is lost then is not waited for.
            session.execute(
                sql.SQL("ALTER DATABASE {} SET synchronous_commit = off").format(
                    sql.Identifier(name)
                )
            )
        ledger = Ledger(url)
        schema.migrate(ledger)
        ledger.close()
        yield url


@contextlib.contextmanager
def running(home: Path) -> Iterator[str]:
    """A server on which databases may be made; skips by name and reason when there is none."""
    with contextlib.ExitStack() as stack:
        try:
            connection = stack.enter_context(postgres.server(home))
        except postgres.NoPostgres as missing:
            pytest.skip(f"services ring: {missing}")
        yield connection


def url_of(connection: str, name: str) -> str:
    """The URL of a database on the server that a connection string names."""
    where = conninfo.conninfo_to_dict(connection)
    password = f":{where['password']}" if where.get("password") else ""
    return f"postgresql://{where['user']}{password}@{where['host']}:{where['port']}/{name}"


def empty(url: str) -> None:
    """Delete every row, and end connections that a failed test left behind."""
    # Quicker than TRUNCATE for a handful of rows; sent together, and so in one transaction.
    tables = [sql.Identifier(table.name) for table in reversed(METADATA.sorted_tables)]
    deletions = sql.SQL("; ").join(sql.SQL("DELETE FROM {}").format(name) for name in tables)
    with psycopg.connect(url, autocommit=True) as session:
        session.execute(OTHERS)
        session.execute(deletions)
        session.execute(RESTART)
