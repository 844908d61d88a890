"""What several tests of providers start."""

from collections.abc import Iterator

import httpx
import pytest

from simulators.server import LocalServer
from tests.tasks.metrics.bmparts_shop import Shop


@pytest.fixture
def shop() -> Iterator[Shop]:
    """A shop that is open."""
    made = Shop()
    with LocalServer(made.sim.app) as server, httpx.Client(trust_env=False) as http:
        made.connect(server.url, http)
        yield made
    assert made.state.harm == []
