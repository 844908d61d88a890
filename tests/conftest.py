"""A clean room: no settings of whoever runs the tests, and nothing that they leave behind."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from db import schema
from db.engine import Ledger
from tests.world import World

PURGED = ("WAGGLE_", "DATABASE_URL", "BROKER_URL", "CLOUDAMQP_URL", "RABBITMQ_URL", "REDIS_URL")
KEPT = ("WAGGLE_REQUIRE_ALL_RINGS",)


@pytest.fixture(autouse=True, scope="session")
def _no_settings_from_outside() -> Iterator[None]:
    patch = pytest.MonkeyPatch()
    for name in list(os.environ):
        if name.startswith(PURGED) and name not in KEPT:
            patch.delenv(name)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"):
        patch.delenv(name, raising=False)
    yield
    patch.undo()


@pytest.fixture(scope="session")
def _migrated(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A migrated, empty SQLite ledger; copying it is quicker than migrating every time."""
    path = tmp_path_factory.mktemp("template") / "waggle.db"
    ledger = Ledger(f"sqlite:///{path}")
    schema.migrate(ledger)
    ledger.close()
    return path.read_bytes()


@pytest.fixture
def database_url(tmp_path: Path, _migrated: bytes) -> str:
    """The URL of an empty ledger; the services ring puts PostgreSQL here."""
    path = tmp_path / "waggle.db"
    path.write_bytes(_migrated)
    return f"sqlite:///{path}"


@pytest.fixture
def ledger(database_url: str) -> Iterator[Ledger]:
    """An empty ledger."""
    made = Ledger(database_url)
    yield made
    made.close()


@pytest.fixture
def world(ledger: Ledger) -> Iterator[World]:
    """Simulated Beeminder and BEMServer on real sockets, a person, a goal, a feed, a runtime."""
    with World(ledger) as made:
        yield made
