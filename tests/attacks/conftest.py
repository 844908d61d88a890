"""A receiver as a process of its own, watched from outside, that tests try to bring down."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from cryptography.fernet import Fernet

from db.engine import Ledger
from db.vault import Vault
from tests.blackbox.conftest import services  # noqa: F401 -- a fixture
from tests.blackbox.house import House
from tests.webhooks.conftest import Serving, starting


class Web:
    """`waggle web` of a house."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.process = house.start("web", WAGGLE_HOLD_SECONDS="0", WAGGLE_LOG_FORMAT="json")
        house.wait(self._serves)

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        return "127.0.0.1", self.house.port

    def _serves(self) -> bool:
        assert self.process.poll() is None, self.house.log()
        try:
            return self.house.http.get("/healthz").is_success
        except httpx.TransportError:
            return False

    def memory(self) -> float:
        """What it takes now, in MB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024

    def most_memory(self) -> float:
        """The most that it has taken so far, in MB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    """A receiver on the embedded default; a callback is answered right after it is stored."""
    with House(tmp_path) as house:
        house.run("migrate")
        yield Web(house)


@pytest.fixture
def serving(ledger: Ledger) -> Iterator[Serving]:
    """A receiver in this process, with a ledger of its own."""
    with starting(ledger, Vault([Fernet.generate_key().decode()])) as start:
        yield start()
