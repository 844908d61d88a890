"""People with a goal each, the vendor and the Beeminder that they share, and both who serve them.

At least fifty of them: with fewer, what is measured is how often Waggle allows itself to ask
Beeminder with one token.
"""

import contextlib
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.house import ROOT, House
from bench.places import Place
from bench.processes import environment
from bench.provider import NAME, install
from bench.vendor import LATENCY, Vendor, late
from bench.world import noon_zone
from simulators.beeminder import Beeminder
from simulators.server import LocalServer
from worker import interpreter

GOAL = "goal{}"
SLOTS = 4  # children of the peer's worker (`prefork`); more are no quicker on two cores
TENANT = "nobody"


@dataclass(slots=True)
class Crowd:
    """So many people who are called, and after them some who only wait for their schedule.

    The feed of person n reads job n.
    """

    people: int
    waiting: int
    vendor: Vendor
    beeminder: Beeminder
    vendor_url: str
    beeminder_url: str


def name(person: int) -> str:
    """A person's name."""
    return f"bench{person}"


@contextlib.contextmanager
def running(*, people: int, waiting: int = 0, latency: float = LATENCY) -> Iterator[Crowd]:
    """Serve both for the block, from this process."""
    vendor, beeminder = Vendor(clock=time.time, latency=latency), Beeminder()
    for person in range(people + waiting):
        beeminder.state.add_user(name(person), timezone=noon_zone(), token=_token(person))
        beeminder.state.add_goal(name(person), GOAL.format(person), kyoom=True, aggday="sum")
    interpreter.be_on_time()
    with LocalServer(vendor.app) as near, LocalServer(late(beeminder.limiter, latency)) as far:
        yield Crowd(people, waiting, vendor, beeminder, near.url, far.url)


def settings(folder: Path, world: Crowd) -> dict[str, str]:
    """Further settings of the house that serves them."""
    package = install(folder / "package")
    return {
        "PYTHONPATH": f"{package}:{ROOT}",
        "WAGGLE_BEEMINDER_URL": world.beeminder_url,
        "WAGGLE_LOOKBACK_DAYS": "0",
    }


def apply(house: House, world: Crowd) -> None:
    """Declare them, each with a source and a feed that is due once a day."""
    text = [
        f'[users.{name(person)}]\ntoken = "{_token(person)}"\n'
        f'[sources.account{person}]\nprovider = "{NAME}"\nuser = "{name(person)}"\n'
        f'url = "{world.vendor_url}"\nlogin = "account{person}"\ntenant = "{TENANT}"\n'
        f'[feeds."{name(person)}/{GOAL.format(person)}"]\nsource = "account{person}"\n'
        f'metric = "job"\nparams = {{ job = {person} }}\nevery = "24h"\n'
        for person in range(world.people + world.waiting)
    ]
    file = house.folder / "waggle.toml"
    file.write_text("\n".join(text))
    house.run("apply", str(file))


def peer_commands(port: int, *, beat: Path | None = None) -> list[Sequence[str]]:
    """The usual way: a handler, a worker and, if `beat` is where it keeps its file, beat."""
    celery = [sys.executable, "-m", "celery", "-A", "bench.peer"]
    commands: list[Sequence[str]] = [
        [sys.executable, "-m", "bench.peer_web", "--port", str(port)],
        [*celery, "worker", *f"--loglevel warning -c {SLOTS} -n peer@%h".split()],
    ]
    if beat is not None:
        commands.append([*celery, "beat", "-l", "warning", "-s", str(beat / "beat.db")])
    return commands


def peer_environment(folder: Path, place: Place, world: Crowd) -> dict[str, str]:
    """The environment of those; touches a file in `ready` of the folder when the worker works."""
    ready = folder / "ready"
    ready.mkdir(exist_ok=True)
    settings = {
        "celery": place.celery,
        "ready": str(ready),
        "vendor": world.vendor_url,
        "beeminder": world.beeminder_url,
        "tokens": [_token(person) for person in range(world.people)],
        "rate_limit": None,
    }
    return environment(PYTHONPATH=str(ROOT), PEER_SETTINGS=json.dumps(settings))


def _token(person: int) -> str:
    return f"token-of-bench-{person:04d}"
