"""Connections to PostgreSQL: bounded, none waits without an end, and a full server is named."""

import contextlib
import secrets
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql
from sqlalchemy.engine import make_url

from db.engine import Ledger
from worker import runtime
from worker.cli import failures

pytestmark = pytest.mark.services


@pytest.fixture
def full_url(postgresql_url: str) -> Iterator[str]:
    """The URL of somebody who may have one connection, and has it."""
    role = f"waggle_one_{secrets.token_hex(4)}"
    name = sql.Identifier(role)
    with psycopg.connect(postgresql_url, autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'x' CONNECTION LIMIT 1").format(name))
        try:
            url = make_url(postgresql_url).set(username=role, password="x")
            there = url.render_as_string(hide_password=False)
            with psycopg.connect(there):
                yield there
        finally:
            admin.execute(sql.SQL("DROP ROLE {}").format(name))


def test_nobody_waits_without_an_end(postgresql_url: str) -> None:
    """Each connection has its limits, those that only read as well."""
    with contextlib.closing(Ledger(postgresql_url)) as ledger:
        for session in (ledger.write(), ledger.read()):
            with session as opened:
                limits = [
                    opened.connection().exec_driver_sql(f"SHOW {name}_timeout").scalar_one()
                    for name in ("statement", "lock", "idle_in_transaction_session")
                ]
            assert limits == ["30s", "10s", "1min"]


def test_a_server_without_room_says_what_to_do(full_url: str) -> None:
    """Too many connections: one line with what holds them, and what there is to do."""
    with (
        contextlib.closing(Ledger(full_url)) as ledger,
        pytest.raises(failures.Failed) as told,
        failures.told(),
        ledger.read() as session,
    ):
        session.connection()

    said = told.value.message
    assert "too many connections" in said
    assert "docs/scaling.md" in said
    assert "\n" not in said


@pytest.mark.parametrize(("slots", "connections"), [(1, 5), (2, 5), (16, 5), (32, 9), (256, 20)])
def test_slots_share_connections(slots: int, connections: int) -> None:
    """What a process may open follows from its slots, and has an end."""
    assert runtime.connections(slots) == connections
