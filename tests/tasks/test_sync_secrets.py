"""No token outside its row: not in a table, a file, a log line, an error text or a bell."""

import io
import logging
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from db.metadata import METADATA
from db.models import User
from simulators.faults import Fault
from tasks import deauthorize, refresh, sweep
from tests.tasks.scenes import all_rows
from tests.world import PASSWORD, TOKEN, World


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """Everything that this process logs, at debug, before any cleaning of the line."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    level, levels = root.level, {}
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    for name in ("httpx", "httpcore", "sqlalchemy.engine", "uvicorn", "asyncio"):
        levels[name] = logging.getLogger(name).level
        logging.getLogger(name).setLevel(logging.DEBUG)
    before = structlog.get_config()
    structlog.configure(
        processors=[structlog.processors.KeyValueRenderer()],
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    yield stream
    structlog.configure(**before)
    root.removeHandler(handler)
    root.setLevel(level)
    for name, found in levels.items():
        logging.getLogger(name).setLevel(found)


def live_everything(world: World) -> list[str]:
    """Syncs, failures of every kind, a lost login, a refused token; returns session tokens."""
    tokens = []

    def pair() -> None:
        given = world.bemserver.token_pair("alice@example.org")
        tokens.extend([given["access_token"], given["refresh_token"]])

    pair()
    world.call_back()
    world.work()
    for fault in (
        Fault(path="datapoints", status=500, body=f"<html>{TOKEN}</html>"),
        Fault(path="datapoints", status=422, body={"errors": f"token {TOKEN} is odd"}),
        Fault(path="goals", status=400, body={"errors": {"auth_token": TOKEN}}),
        Fault(path="users/me", action="invalid_json"),
    ):
        world.beeminder.faults.add(fault)
        world.measure(world.series, {world.clock.at - 60: 1.0})
        world.clock.advance(700)
        pair()
        world.call_back()
        world.call_back("tea")
        world.work()
    world.bemserver.faults.add(
        Fault(path="auth/token$", status=400, body={"errors": {"json": {"password": [PASSWORD]}}})
    )
    world.clock.advance(70 * 86400)
    pair()
    world.call_back()
    world.work()
    refresh.run(world.runtime())
    sweep.run(world.runtime())
    world.beeminder.state.personal_tokens.clear()
    world.clock.advance(700)
    world.call_back()
    world.work()
    while deauthorize.run(world.runtime()):
        pass
    return tokens


def test_canaries_are_found_nowhere(
    world: World, logged: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    """After everything that can go wrong: no canary in rows, files, logs, errors, bells, output."""
    tokens = live_everything(world)
    rows = "\n".join(
        repr(row) for table in METADATA.sorted_tables for row in _dump(world, table.name)
    )
    seen = {
        "rows": rows,
        "log": logged.getvalue(),
        "bells": repr(world.rung),
        "output": "".join(capsys.readouterr()),
        "reprs": repr(all_rows(world, User)) + repr(world.runtime()),
    }
    path = world.ledger.url.database or ""
    if world.ledger.is_sqlite:
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        for file in Path(path).parent.glob("waggle.db*"):
            seen[file.name] = file.read_bytes().decode("latin-1")

    assert "put_back" in seen["log"]
    assert "connect again" in rows
    for canary in (TOKEN, PASSWORD, *tokens):
        assert [where for where, text in seen.items() if canary in text] == []


def _dump(world: World, table: str) -> list[object]:
    with world.ledger.read() as session:
        return list(session.connection().exec_driver_sql(f'SELECT * FROM "{table}"'))  # noqa: S608 -- our own tables
