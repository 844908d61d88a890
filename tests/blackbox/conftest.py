"""Waggle as its users run it: processes, spoken to over HTTP and the command line only."""

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.blackbox.house import House
from tests.blackbox.services import Services

EMBEDDED = "sqlite+filesystem"
BACKENDS = [
    EMBEDDED,
    pytest.param("postgresql+rabbitmq", marks=pytest.mark.services),
    pytest.param("postgresql+redis", marks=pytest.mark.services),
]


@pytest.fixture(autouse=True, scope="session")
def _hears_ctrl_c() -> Iterator[None]:
    """What a shell runs in the background ignores it, and so would all that is started by it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """What a house may run on."""
    made = Services(tmp_path_factory.mktemp("services"))
    with contextlib.closing(made):
        yield made


@pytest.fixture(params=BACKENDS)
def house(request: pytest.FixtureRequest, tmp_path: Path, services: Services) -> Iterator[House]:
    """A fresh home on each pair of database and broker, with simulators around it."""
    with contextlib.ExitStack() as stack:
        settings = {}
        if request.param != EMBEDDED:
            settings["DATABASE_URL"] = stack.enter_context(services.database())
            settings["BROKER_URL"] = services.broker(request.param.partition("+")[2])
        yield stack.enter_context(House(tmp_path, **settings))


@pytest.fixture
def home(tmp_path: Path) -> Iterator[House]:
    """A fresh home on the embedded default."""
    with House(tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A running Waggle for all tests of a module, on the embedded default; `energy` is linked.

    Tests link goals of their own, or use `energy` in ways that leave it as it was.
    """
    with House(tmp_path_factory.mktemp("house")) as made:
        made.run("apply", str(made.declare("energy")))
        made.up()
        yield made
