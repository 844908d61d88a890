"""One run: everything is started, broken by its plan, healed, and judged when it is quiet."""

import contextlib
import os
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from simulators.server import LocalServer
from tests.blackbox.house import BIN, SECRET, free_port
from tests.blackbox.link import Link
from tests.chaos import judgement, plan
from tests.chaos.callers import Callers
from tests.chaos.clocks import WrongClock
from tests.chaos.hands import Done, Hands
from tests.chaos.keeper import Keeper
from tests.chaos.record import LedgerRead, Record
from tests.chaos.scenery import Scenery
from tests.chaos.servers import Broker, Postgres
from tests.chaos.weather import Weather

COMMANDS = {
    "web": ["web"],
    "worker1": ["worker"],
    "worker2": ["worker"],
    "beat": ["beat"],
    "beat2": ["beat"],
}
DISK_BYTES = 48_000_000
READY_SECONDS = 60.0
QUIET_SECONDS = 120.0
HEARD_SECONDS = 1.0  # from an answer on the wire to its time in the ledger, on a busy machine


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything. `seconds` of trouble, a fault every `gap` of them; `hold` as set."""

    seconds: float
    people: int = 4
    goals: int = 6
    clients: int = 40
    gap: float = 4.0
    hold: float = 8.0


@dataclass(slots=True)
class Verdict:
    """What broke, by promise; and what happened, in words."""

    broken: dict[str, list[str]] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Is every promise kept?"""
        return not any(self.broken.values())

    def __str__(self) -> str:
        lines = list(self.told)
        for promise, sentences in self.broken.items():
            lines.append(f"{'BROKEN' if sentences else 'held  '}  {promise}")
            lines += [f"          {sentence}" for sentence in sentences[:8]]
            if len(sentences) > 8:
                lines.append(f"          and {len(sentences) - 8} more")
        return "\n".join(lines)


def run(
    seed: int,
    place: str,
    size: Size,
    *,
    folder: Path,
    say: Callable[[str], None] = lambda _line: None,
) -> Verdict:
    """Play the plan of this seed at this place; skips the test by name where something is missing.

    Logs and the ledger are in `folder` afterwards.
    """
    faults = plan.make(seed, place, seconds=size.seconds, gap=size.gap)
    with contextlib.ExitStack() as stack:
        scene = _Scene(stack, seed, place, size, folder)
        scene.start(say)
        began = time.monotonic()
        scene.weather.bad = True
        scene.callers.start()
        scene.hands.carry_out(
            faults, lambda fault: say(f"{_progress(scene, began)}  {fault.what} {fault.whom}")
        )
        time.sleep(max(0.0, began + size.seconds - time.monotonic()))
        say(f"{_progress(scene, began)}  the last callbacks")
        scene.callers.finish()
        scene.weather.bad = False
        scene.hands.heal()
        healed = time.monotonic()
        left = scene.wait_until_quiet(say)
        quiet = time.monotonic() - healed
        late = scene.keeper.close()
        verdict = scene.judge(left, late)
        verdict.told.append(f"quiet {quiet:.1f} s after the last trouble")
    return verdict


def _progress(scene: "_Scene", began: float) -> str:
    made = scene.callers.made
    counts = Counter(callback.said or callback.error or "open" for callback in made)
    shown = ", ".join(f"{count} {name}" for name, count in counts.most_common(4))
    return f"{time.monotonic() - began:5.1f} s  {len(made)} callbacks ({shown})"


class _Scene:
    """Everything that is there during a run."""

    def __init__(
        self, stack: contextlib.ExitStack, seed: int, place: str, size: Size, folder: Path
    ) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.home.mkdir(mode=0o700)
        self.scenery = Scenery(people=size.people, goals=size.goals, seed=seed)
        self.weather = Weather(self.scenery.app, seed=seed)
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
            disk = stack.enter_context(small_disk(self.home))
        else:
            database = Postgres(folder)
            broker = Broker(place.partition("+")[2], folder / "broker")
            for name, server in (("database", database), ("broker", broker)):
                stack.callback(server.close)
                server.start()
                self.links[name] = stack.enter_context(Link(server.port))
            self.ledger_url = database.url(database.port)
            settings["DATABASE_URL"] = database.url(self.links["database"].port)
            settings["BROKER_URL"] = broker.url(self.links["broker"].port)
        commands = {
            name: words for name, words in COMMANDS.items() if name != "beat2" or seed % 2 == 0
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
            feeds = ledger.rows("SELECT count(*) AS n FROM feed")[0]["n"]
        say(f"{feeds} feeds of {len(self.scenery.goals)} goals are linked and synced")

    def wait_until_quiet(self, say: Callable[[str], None]) -> dict[str, int]:
        """Nothing is left to do; what still is after `QUIET_SECONDS`."""
        ledger = LedgerRead(self.ledger_url)
        left: dict[str, int] = {}

        def quiet() -> bool:
            nonlocal left
            left = ledger.unfinished()
            say(f"        waiting for {left or 'nothing'}")
            return not left and self.keeper.all_ready()

        with contextlib.closing(ledger), contextlib.suppress(TimeoutError):
            self._wait(quiet, QUIET_SECONDS, pause=0.5)
        return left

    def judge(self, left: dict[str, int], late: list[str]) -> Verdict:
        """All promises."""
        goals, beeminder = self.scenery.goals, self.scenery.sims.beeminder.state
        histories = {goal.name: beeminder.changes(goal.username, goal.slug) for goal in goals}
        made = self.callers.made
        ledger, record = LedgerRead(self.ledger_url), Record()
        with contextlib.closing(ledger):
            events = ledger.rows("SELECT id, state, error FROM event WHERE kind = 'autofetch'")
            record.kept["the ledger"] = ledger.everything()
        record.read(self.folder, self.home)
        served = {
            number: self.keeper.served(callback.sent, callback.ended)
            for number, callback in enumerate(made)
            if callback.status is None
        }
        secrets = self.scenery.secrets
        verdict = Verdict(
            {
                "Beeminder holds what the sources say": [
                    sentence
                    for goal in goals
                    for sentence in judgement.equal(
                        goal.name,
                        [meter.days() for meter in goal.meters],
                        beeminder.datapoints(goal.username, goal.slug),
                    )
                ],
                "nothing was there twice": [
                    sentence
                    for goal in goals
                    for sentence in judgement.never_twice(
                        goal.name, len(goal.meters), histories[goal.name]
                    )
                ],
                "every surviving callback was answered": list(judgement.answered(made, served)),
                "a 200 meant fresh": list(judgement.fresh(made, histories)),
                "no request in a closed window": list(
                    judgement.early(
                        self.weather.told,
                        self.weather.arrivals,
                        unheard=[span for done in self.hands.done for span in unheard(done)],
                        late=[span for done in self.hands.done for span in on_its_way(done)],
                    )
                ),
                "every event ended": [
                    *(f"{count} {name} unfinished" for name, count in left.items()),
                    *judgement.ended(events, sum(callback.is_stored for callback in made)),
                ],
                "no traceback": list(judgement.quiet_logs(record.logs)),
                "no secret outside its row": list(
                    judgement.no_secrets(record.logs | record.kept, secrets)
                ),
                "every process lives and ends as it should": [
                    *judgement.lived(self.keeper.lives, self._without_a_ledger()),
                    *(f"{name} did not end on SIGTERM" for name in late),
                ],
            }
        )
        counts = Counter(callback.said or callback.error for callback in made)
        verdict.told = [
            f"{len(made)} callbacks: " + ", ".join(f"{n} {name}" for name, n in counts.items()),
            f"{self.weather.calls} calls to vendors, {sum(self.weather.broken.values())} broken: "
            + ", ".join(f"{n} {name}" for name, n in sorted(self.weather.broken.items())),
            f"{len(self.keeper.lives)} processes, {len(self.weather.told)} times told to wait",
        ]
        return verdict

    def _without_a_ledger(self) -> list[tuple[float, float]]:
        """When a process that starts may find no ledger; on the monotonic clock."""
        ago = time.time() - time.monotonic()
        return [
            (done.began - ago, done.ended - ago)
            for done in self.hands.done
            if done.fault.whom in ("database", "disk")
        ]

    @staticmethod
    def _wait(until: Callable[[], bool], seconds: float, *, pause: float = 0.1) -> None:
        ends_at = time.monotonic() + seconds
        while not until():
            if time.monotonic() > ends_at:
                raise TimeoutError
            time.sleep(pause)


def unheard(done: Done) -> list[tuple[float, float]]:
    """When what an answer said could not come into the ledger."""
    fault, before = done.fault, HEARD_SECONDS
    if fault.whom in ("worker", "database", "disk", "vendors") and fault.what != "jump":
        return [(done.began - before, done.ended + before)]
    if fault.what == "jump" and fault.size > 0 and done.whom == "clock":
        return [(done.began - 60.0, done.ended + 60.0)]
    return []


def on_its_way(done: Done) -> list[tuple[float, float]]:
    """When requests arrive that left before: they were held up with their process or link."""
    if done.fault.whom in ("worker", "vendors") and done.fault.lasts:
        return [(done.began, done.ended + 2.0)]
    return []


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """The folder is a small file system of its own, so that it can be full."""
    command = [
        "/bin/mount",
        "-t",
        "tmpfs",
        "-o",
        f"size={DISK_BYTES},mode=0700",
        "tmpfs",
        str(folder),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"chaos ring: no small disk can be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["/bin/umount", "--lazy", str(folder)], check=True)


def temporary() -> tempfile.TemporaryDirectory[str]:
    """A folder for a run, in memory where there is one."""
    shm = Path("/dev/shm")  # noqa: S108 -- a folder with a name of its own in it
    return tempfile.TemporaryDirectory(
        prefix="chaos-", dir=shm if os.access(shm, os.W_OK) else None
    )
