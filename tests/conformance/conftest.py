"""The real BEMServer, started once for this ring; without PostgreSQL the ring is skipped."""

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from simulators import postgres, real_bemserver, real_bemserver_install

HERE = Path(__file__).parent
HOME = HERE.parents[1] / "var" / "bemserver"
# The first start installs some fifty packages, maybe over a slow line.
FIRST_START_SECONDS = 900


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.conformance)
            item.add_marker(pytest.mark.timeout(FIRST_START_SECONDS))


@pytest.fixture(scope="session")
def bem(request: pytest.FixtureRequest) -> Iterator[real_bemserver.RealBemserver]:
    """The real server with the default seed; tests of this ring share it and add only samples."""
    # Mounted as its own deployment guide does it: the path is part of a base address.
    # The reporter shows what is going on past the capture: the first start takes its time.
    reporter = request.config.pluginmanager.get_plugin("terminalreporter")
    say = None if reporter is None else reporter.write_line
    server = real_bemserver.RealBemserver(HOME, prefix="/api/v0", say=say)
    try:
        server.__enter__()
    except (postgres.NoPostgres, real_bemserver_install.InstallFailed) as missing:
        if os.environ.get("REQUIRE_ALL_RINGS") == "1":
            pytest.fail(f"conformance ring: {missing}")
        pytest.skip(f"conformance ring: {missing}")
    try:
        yield server
    finally:
        server.__exit__(None, None, None)


@pytest.fixture(scope="session")
def http() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False, timeout=30) as client:
        yield client


@pytest.fixture
def bob(bem: real_bemserver.RealBemserver) -> dict[str, str]:
    """Headers of the plain user who may read the offices of the plant in Paris."""
    return {"Authorization": f"Bearer {bem.token('bob@bem.test')}", "Accept": "application/json"}
