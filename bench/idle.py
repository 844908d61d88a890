"""`python -m bench.idle`: what `waggle up` takes with nothing to do, and how soon it works.

Memory is the proportional set size (PSS) of all its processes: what they share is counted once.
Processor time is that of all threads, over a minute that begins some seconds after the start. A
callback is sent over and over from the start on; the first one that is answered 200 has its
datapoint on the goal. Beside it: the usual Celery set-up, a receiver, a prefork worker and beat.

Examples:
  python -m bench.idle
  python -m bench.idle --rounds 1 --seconds 30 --places embedded --json idle.json

"""

import argparse
import contextlib
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx

from bench import command, crowd, places, processes
from bench.house import STARTS_WITHIN, BenchFailed, House
from bench.lines import Line, Spread
from bench.live_watching import processor
from bench.places import Place

MEMORY, CORE, FIRST = 280.0, 2.0, 6.0  # what is promised: MB, CPU seconds a minute, seconds
SETTLES = 15.0
MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class Cost:
    """PSS in MB, CPU seconds a minute, seconds until the first callback had landed."""

    memory: float
    core: float
    first: float


def main() -> int:
    """Measure, print, and return the exit status: 1 when Waggle breaks a promise."""
    given = _parser().parse_args()
    return command.run(
        given,
        lambda: command.at_each(
            given.places, lambda name: _measured(name, given.rounds, given.seconds)
        ),
    )


def _measured(name: str, rounds: int, seconds: float) -> list[Line]:
    ours, theirs, title = [], [], name
    for number in range(rounds):
        with tempfile.TemporaryDirectory(prefix="waggle-idle-") as text, ExitStack() as stack:
            place = stack.enter_context(places.PLACES[name](Path(text)))
            title = place.name
            ours.append(_waggle(Path(text) / "waggle", place, seconds))
            theirs.append(_peer(Path(text) / "peer", place, seconds))
        print(f"round {number + 1}  {title}: {ours[-1]}, the usual way {theirs[-1]}", flush=True)

    def spread(costs: list[Cost], what: str, unit: str) -> Spread:
        return Spread(tuple(getattr(cost, what) for cost in costs), unit)

    return [
        line
        for what, words, unit, most in (
            ("memory", "memory, PSS", "MB", MEMORY),
            ("core", "CPU seconds a minute", "s", CORE),
            ("first", "first callback landed after", "s", FIRST),
        )
        for line in (
            Line(what=f"{title}: {words}", ours=spread(ours, what, unit), most=most),
            Line(
                what="",
                ours=spread(ours, what, unit),
                beside="the usual Celery way",
                theirs=spread(theirs, what, unit),
            ),
        )
    ]


def _waggle(folder: Path, place: Place, seconds: float) -> Cost:
    with crowd.running(people=1) as world:
        house = House(folder, place, **crowd.settings(folder, world))
        crowd.apply(house, world)
        began = time.monotonic()
        with processes.running(
            [house.command("up")], folder=folder, environment=house.environment
        ) as (up,):
            _answered(house.callback_url, folder)
            first = time.monotonic() - began
            return _cost(up.pid, seconds, first)


def _peer(folder: Path, place: Place, seconds: float) -> Cost:
    folder.mkdir()
    with crowd.running(people=1) as world:
        port = processes.free_port()
        began = time.monotonic()
        with processes.running(
            crowd.peer_commands(port, beat=folder),
            folder=folder,
            environment=crowd.peer_environment(folder, place, world),
        ) as started:
            _answered(f"http://127.0.0.1:{port}/callback", folder)
            while not world.beeminder.state.history:
                time.sleep(0.02)
            first = time.monotonic() - began
            costs = [process.pid for process in started]
            return _cost(costs, seconds, first)


def _answered(url: str, folder: Path) -> None:
    """Call until the answer is 200."""
    ends_at = time.monotonic() + STARTS_WITHIN
    fields = {"username": crowd.name(0), "slug": crowd.GOAL.format(0)}
    while time.monotonic() < ends_at:
        with contextlib.suppress(httpx.TransportError):
            if httpx.post(url, data=fields, timeout=30.0).status_code == httpx.codes.OK:
                return
        time.sleep(0.05)
    raise BenchFailed(f"no callback was answered:\n{processes.tail(folder)}")


def _cost(roots: int | list[int], seconds: float, first: float) -> Cost:
    roots = [roots] if isinstance(roots, int) else roots
    time.sleep(SETTLES)
    pids = [pid for root in roots for pid in family(root)]
    used, began = sum(processor(pid) for pid in pids), time.monotonic()
    time.sleep(seconds)
    passed = time.monotonic() - began
    core = (sum(processor(pid) for pid in pids) - used) / passed * MINUTE
    return Cost(sum(pss(pid) for pid in pids) / 1e6, core, first)


def family(root: int) -> Iterator[int]:
    """A process and all that it has started, and so on."""
    children: dict[int, list[int]] = {}
    for found in Path("/proc").iterdir():
        if found.name.isdecimal():
            with contextlib.suppress(OSError):  # it has ended meanwhile
                parent = (found / "stat").read_text().rpartition(")")[2].split()[1]
                children.setdefault(int(parent), []).append(int(found.name))
    waiting = [root]
    while waiting:
        pid = waiting.pop()
        waiting += children.get(pid, [])
        yield pid


def pss(pid: int) -> int:
    """Bytes, as /proc has them: its own pages, and its part of those that are shared."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise BenchFailed(f"no PSS is known of process {pid}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.idle",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=60.0, help="of each measurement")
    parser.add_argument("--places", nargs="+", choices=places.PLACES, default=["embedded"])
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    return parser


if __name__ == "__main__":
    sys.exit(main())
