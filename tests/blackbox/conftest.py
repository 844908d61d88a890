"""Waggle as its users run it: processes, spoken to over HTTP and the command line only."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.blackbox.house import BACKENDS, House


@pytest.fixture(params=BACKENDS)
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    """A fresh home on each pair of database and broker, with simulators around it."""
    with House(tmp_path, backend=request.param) as made:
        yield made
