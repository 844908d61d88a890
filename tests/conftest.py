"""A clean room: no settings of whoever runs the tests, and nothing that they leave behind."""

import logging
import os
from collections.abc import Generator, Iterator
from pathlib import Path

import certifi
import hypothesis
import pytest
import structlog

from db import schema
from db.engine import Ledger
from tests.services import postgresql
from tests.world import World

# A busy machine is no mistake of what is tested.
hypothesis.settings.register_profile(
    "waggle", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("waggle")
PURGED = ("WAGGLE_", "DATABASE_URL", "BROKER_URL", "CLOUDAMQP_URL", "RABBITMQ_URL", "REDIS_URL")


@pytest.fixture(autouse=True, scope="session")
def _no_settings_from_outside() -> Iterator[None]:
    patch = pytest.MonkeyPatch()
    for name in list(os.environ):
        if name.startswith(PURGED):
            patch.delenv(name)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"):
        patch.delenv(name, raising=False)
    yield
    patch.undo()


@pytest.fixture(autouse=True, scope="session")
def _few_authorities(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Clients read one authority and not all: that takes longer than most tests.

    Nobody speaks to anybody outside; tests of TLS bring an authority of their own.
    """
    first, end, _ = Path(certifi.where()).read_text().partition("-----END CERTIFICATE-----\n")
    few = tmp_path_factory.mktemp("authorities") / "one.pem"
    few.write_text(first + end)
    patch = pytest.MonkeyPatch()
    patch.setattr(certifi, "where", lambda: str(few))
    yield
    patch.undo()


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """Commands that a test runs in this process set logging up; the next test finds none of it."""
    root, before = logging.getLogger(), structlog.get_config()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**before)
    structlog.contextvars.clear_contextvars()


@pytest.fixture(scope="session")
def _migrated(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A migrated, empty SQLite ledger; copying it is quicker than migrating every time."""
    path = tmp_path_factory.mktemp("template") / "waggle.db"
    ledger = Ledger(f"sqlite:///{path}")
    schema.migrate(ledger)
    ledger.close()
    return path.read_bytes()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where every ring is required, one that is skipped has failed; its reason says what to do."""
    report = yield
    required = os.environ.get("REQUIRE_ALL_RINGS") == "1"
    if required and report.skipped and not hasattr(report, "wasxfail"):
        why = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext
        report.outcome = "failed"
        report.longrepr = f"REQUIRE_ALL_RINGS=1, but {item.nodeid} was skipped: {why}"
    return report


@pytest.fixture(scope="session")
def _sqlite_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ledger")


@pytest.fixture
def sqlite_url(_sqlite_folder: Path, _migrated: bytes) -> str:
    """The URL of an empty ledger in a file, always the same one."""
    for left in _sqlite_folder.iterdir():
        left.unlink()
    path = _sqlite_folder / "waggle.db"
    path.write_bytes(_migrated)
    return f"sqlite:///{path}"


@pytest.fixture(scope="session")
def _postgresql_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    yield from postgresql.migrated_database(tmp_path_factory.mktemp("postgresql"))


@pytest.fixture
def postgresql_url(_postgresql_database: str) -> str:
    """The URL of an empty ledger on a PostgreSQL; skips where there is none."""
    postgresql.empty(_postgresql_database)
    return _postgresql_database


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """The URL of an empty ledger; tests of `db` and `tasks` get PostgreSQL here as well."""
    return sqlite_url


@pytest.fixture(scope="session")
def _ledgers() -> dict[str, Ledger]:
    """The ledgers by URL: what an engine has compiled once, no later test compiles again."""
    return {}


@pytest.fixture
def ledger(database_url: str, _ledgers: dict[str, Ledger]) -> Iterator[Ledger]:
    """An empty ledger, without a connection that an earlier test had."""
    if database_url not in _ledgers:
        _ledgers[database_url] = Ledger(database_url)
    made = _ledgers[database_url]
    yield made
    made.close()


@pytest.fixture
def world(ledger: Ledger) -> Iterator[World]:
    """Simulated Beeminder and BEMServer on real sockets, a person, a goal, a feed, a runtime."""
    with World(ledger) as made:
        yield made
