"""Everything that is there during a run: servers, links, simulators, processes, callers."""

import contextlib
import os
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography.fernet import Fernet

from simulators.server import LocalServer
from tests.blackbox.house import BIN, SECRET, free_port
from tests.blackbox.link import Link
from tests.chaos import plan
from tests.chaos.callers import Callers
from tests.chaos.clocks import WrongClock
from tests.chaos.disks import small_disk
from tests.chaos.hands import Hands
from tests.chaos.keeper import Keeper
from tests.chaos.record import LedgerRead
from tests.chaos.scenery import Scenery
from tests.chaos.servers import Broker, Postgres
from tests.chaos.weather import Weather

COMMANDS = {
    "web": ["web"],
    "worker1": ["worker"],
    "worker2": ["worker"],
    "progress": ["progress"],
    "progress2": ["progress"],
    "beat": ["beat"],
    "beat2": ["beat"],
}
IN_EVERY_OTHER_SEED = ("progress2", "beat2")
DISK_MEGABYTES = 48
READY_SECONDS = 120.0
STUCK_SECONDS = 60.0  # longer than any pause between two tries in the first minutes
POLL_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything. `seconds` of trouble, a fault every `gap` of them (`plan.make`)."""

    seconds: float
    people: int = 4
    goals: int = 6
    clients: int = 40
    gap: float | None = None
    hold: float = 8.0


class Scene:
    """Everything that is there during a run."""

    def __init__(
        self, stack: contextlib.ExitStack, seed: int, place: str, size: Size, folder: Path
    ) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.home.mkdir(mode=0o700)
        self.scenery = Scenery(people=size.people, goals=size.goals, seed=seed)
        self.weather = Weather(self.scenery.app, seed=seed, hang_up=self.scenery.sims.rime.live.end)
        self.vendors = stack.enter_context(LocalServer(self.weather))
        port = int(self.vendors.url.rpartition(":")[2])
        self.links = {"vendors": stack.enter_context(Link(port))}
        self.port = free_port()
        settings = {
            "WAGGLE_HOME": str(self.home),
            "PORT": str(self.port),
            "WAGGLE_BEEMINDER_URL": f"http://127.0.0.1:{self.links['vendors'].port}",
            "WAGGLE_CALLBACK_SECRETS": SECRET,
            "WAGGLE_HOLD_SECONDS": str(size.hold),
            "WAGGLE_LOG_LEVEL": "info",
            "WAGGLE_SECRET_KEYS": Fernet.generate_key().decode(),
        }
        database, broker, disk = None, None, None
        self.ledger_url = f"sqlite:///{self.home / 'waggle.db'}"
        if place == plan.EMBEDDED:
            disk = stack.enter_context(small_disk(self.home, megabytes=DISK_MEGABYTES))
        else:
            database = Postgres(stack, folder)
            disk = database.disk
            broker = Broker(place.partition("+")[2], folder / "broker")
            for name, server in (("database", database), ("broker", broker)):
                stack.callback(server.close)
                server.start()
                self.links[name] = stack.enter_context(Link(server.port))
            self.ledger_url = database.url(database.port)
            settings["DATABASE_URL"] = database.url(self.links["database"].port)
            settings["BROKER_URL"] = broker.url(self.links["broker"].port)
        commands = {
            name: words
            for name, words in COMMANDS.items()
            if name not in IN_EVERY_OTHER_SEED or seed % 2 == 0
        }
        clocks = (
            dict.fromkeys(commands, WrongClock(folder / "clock"))
            if place == plan.EMBEDDED
            else {name: WrongClock(folder / f"clock-{name}") for name in commands}
        )
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "TZ") if name in os.environ}
        self.settings = kept | settings
        self.keeper = Keeper(
            commands,
            {name: self.settings | clocks[name].environment() for name in commands},
            folder,
            self.port,
        )
        stack.callback(self.keeper.close)
        self.hands = Hands(
            self.keeper, self.links, list(dict.fromkeys(clocks.values())), database, broker, disk
        )
        self.callers = Callers(
            self.scenery, f"http://127.0.0.1:{self.port}", clients=size.clients, seed=seed
        )

    def start(self, say: Callable[[str], None]) -> None:
        """Declared, started, and ready for callbacks."""
        url = f"http://127.0.0.1:{self.links['vendors'].port}"
        file = self.scenery.declare(self.folder / "waggle.toml", url)
        done = subprocess.run(
            [BIN / "waggle", "apply", str(file)],
            env=self.settings,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        file.unlink()
        self.keeper.start()
        self._wait(self.keeper.all_ready, READY_SECONDS)
        with contextlib.closing(LedgerRead(self.ledger_url)) as ledger:
            unseen = "SELECT count(*) AS n FROM feed WHERE last_synced_at IS NULL"
            self._wait(lambda: not ledger.rows(unseen)[0]["n"], READY_SECONDS, pause=0.3)
            followed = "SELECT count(*) AS n FROM run WHERE lease_owner IS NOT NULL"
            runs = len(self.scenery.runs())
            self._wait(lambda: ledger.rows(followed)[0]["n"] == runs, READY_SECONDS, pause=0.3)
            feeds = ledger.rows("SELECT count(*) AS n FROM feed")[0]["n"]
        say(
            f"{feeds} feeds of {len(self.scenery.goals)} goals are linked and synced, "
            f"{runs} runs are followed"
        )

    def wait_until_quiet(self, say: Callable[[str], None]) -> dict[str, int]:
        """Nothing is left to do; or what still is when nothing changed for `STUCK_SECONDS`."""
        changed_at = time.monotonic()
        with contextlib.closing(LedgerRead(self.ledger_url, ahead=self._ahead)) as ledger:
            left = ledger.unfinished()
            while left or not self.keeper.all_ready():
                before, left = left, ledger.unfinished()
                if left != before:
                    changed_at = time.monotonic()
                    say(f"        waiting for {left or 'who starts'}")
                if time.monotonic() - changed_at > STUCK_SECONDS:
                    break
                time.sleep(POLL_SECONDS)
        return left

    def _ahead(self) -> float:
        """SQLite goes by the clocks of who asks, a server by its own, which nobody sets here."""
        if self.hands.database is not None:
            return 0.0
        return max(clock.seconds for clock in self.hands.clocks)

    @staticmethod
    def _wait(until: Callable[[], bool], seconds: float, *, pause: float = 0.1) -> None:
        ends_at = time.monotonic() + seconds
        while not until():
            if time.monotonic() > ends_at:
                raise TimeoutError
            time.sleep(pause)
