"""`python -m bench.latency`: from a callback to its datapoint on the goal.

The source and Beeminder take 20 ms for each request, so nobody is quicker than 40 ms. Beside
Waggle works the usual way: a handler that calls `.delay()`, and a Celery task (prefork, one http
client a process, autoretry) that fetches and posts, on the same kind of broker. It stores nothing,
answers before anything is done, and loses what its broker loses.

Then, with `--backlog`, the same while so many scheduled syncs wait.

Examples:
  python -m bench.latency --places embedded
  python -m bench.latency --places servers --backlog 10000 --json latency.json
  python -m bench.latency --rounds 1 --seconds 5 --rates 20

"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from bench import backlog, calling, command, crowd, filled, places, processes
from bench.crowd import Crowd
from bench.house import STARTS_WITHIN, BenchFailed, House
from bench.lines import Line, Spread
from bench.places import Place
from bench.vendor import LATENCY
from db.engine import Ledger

FLOOR = 2 * LATENCY * 1000  # ms: one request to the source, one to Beeminder
# What is promised: milliseconds that the median at the lowest rate may lie above the floor, and how
# much of the peer's p99 at the highest rate ours may be.
ABOVE = {"embedded": 60.0, "servers": 25.0}
OF_PEER = {"embedded": 1.5, "servers": 2.0}
BESIDE_BACKLOG = 1.5
SETTLES = 2.0  # seconds in which what was begun ends
OURS, THEIRS = "waggle", "the usual Celery way"


@dataclass(slots=True)
class Side:
    """One of the two, and what each round came to: (p50, p99) in milliseconds, by rate."""

    name: str
    url: str
    world: Crowd
    rounds: dict[float, list[tuple[float, float]]] = field(default_factory=dict)

    def measure(self, rate: float, seconds: float) -> str:
        """One round at one rate; a line that tells of it."""
        took = calling.landed(
            self.world, calling.call(self.url, self.world, rate=rate, seconds=seconds)
        )
        p50, p99 = statistics.median(took) * 1000, statistics.quantiles(took, n=100)[-1] * 1000
        self.rounds.setdefault(rate, []).append((p50, p99))
        return f"{self.name:22} {rate:4g}/s   p50 {p50:7.1f} ms   p99 {p99:8.1f} ms"

    def spread(self, rate: float, which: int) -> Spread:
        """The medians (0) or the 99th percentiles (1)."""
        return Spread(tuple(found[which] for found in self.rounds[rate]), "ms")


def main() -> int:
    """Measure, print, and return the exit status: 1 when Waggle breaks a promise."""
    given = _parser().parse_args()
    return command.run(
        given,
        lambda: command.at_each(given.places, lambda name: measured(name, given)),
        people=given.people,
    )


def measured(name: str, given: argparse.Namespace) -> Iterator[Line]:
    """All lines of one place."""
    with tempfile.TemporaryDirectory(prefix="waggle-latency-") as text, ExitStack() as stack:
        place = stack.enter_context(places.PLACES[name](Path(text)))
        ours, house = waggle(
            stack, Path(text) / "waggle", place, people=given.people, wait=given.backlog
        )
        theirs = _peer(stack, Path(text) / "peer", place, given.people)
        for number in range(given.rounds):
            for rate in given.rates:
                for side in (ours, theirs):
                    print(f"round {number + 1}  {side.measure(rate, given.seconds)}", flush=True)
        low, high = min(given.rates), max(given.rates)
        yield Line(
            what=f"{place.name}: p50 at {low:g}/s",
            ours=ours.spread(low, 0),
            beside="the floor",
            theirs=Spread((FLOOR,), "ms"),
            most=1.0,
            plus=ABOVE[name],
        )
        for rate in given.rates:
            for which, words in enumerate(("p50", "p99")):
                promised = which == 1 and rate == high
                yield Line(
                    what=f"{place.name}: {words} at {rate:g}/s",
                    ours=ours.spread(rate, which),
                    beside=theirs.name,
                    theirs=theirs.spread(rate, which),
                    most=OF_PEER[name] if promised else None,
                )
        if given.backlog:
            yield from _with_backlog(place, house, ours, given)


def _with_backlog(
    place: Place, house: House, ours: Side, given: argparse.Namespace
) -> Iterator[Line]:
    """The same at the lowest rate, in turns with and without scheduled work that waits.

    That has to go on, too.
    """
    rate, done = min(given.rates), []
    without, beside = (Side(OURS, ours.url, ours.world) for _ in range(2))
    with closing(Ledger(house.ledger_url)) as ledger:
        for number in range(given.rounds):
            backlog.rest(ledger)
            time.sleep(SETTLES)
            print(f"round {number + 1}  {without.measure(rate, given.seconds)}", flush=True)
            backlog.fall_due(ledger)
            before = backlog.due(ledger)
            print(f"round {number + 1}  {beside.measure(rate, given.seconds)}", end="   ")
            left = backlog.due(ledger)
            print(f"{left} of {before} scheduled syncs wait", flush=True)
            if left == 0:
                raise BenchFailed("the backlog was over before the measurement was; wait for more")
            done.append(float(before - left))
    yield Line(
        what=f"{place.name}: p99 at {rate:g}/s, {given.backlog} wait",
        ours=beside.spread(rate, 1),
        beside="waggle, none wait",
        theirs=without.spread(rate, 1),
        most=BESIDE_BACKLOG,
    )
    yield Line(
        what="  scheduled syncs done meanwhile, each round", ours=Spread(tuple(done)), least=1.0
    )


def waggle(
    stack: ExitStack, folder: Path, place: Place, *, people: int, wait: int = 0, fill: int = 0
) -> tuple[Side, House]:
    """Waggle at work for so many people, until the stack ends or it is told to `stop`.

    `wait`: so many more feeds, whose schedule comes when they are told to. `fill`: so many more
    that nobody calls.
    """
    world = stack.enter_context(crowd.running(people=people, waiting=wait // backlog.EACH))
    house = House(folder, place, **crowd.settings(folder, world))
    crowd.apply(house, world)
    with closing(Ledger(house.ledger_url)) as ledger:
        if wait:
            backlog.add(ledger, world)
        if fill:
            filled.fill(ledger, feeds=fill, now=time.time())
        house.start(stack)
        ends_at = time.monotonic() + STARTS_WITHIN
        while backlog.unseen(ledger):  # each feed is looked at for the first time once
            if time.monotonic() > ends_at:
                raise BenchFailed(f"not all feeds were read:\n{processes.tail(house.folder)}")
            time.sleep(0.2)
    return Side(OURS, house.callback_url, world), house


def _peer(stack: ExitStack, folder: Path, place: Place, people: int) -> Side:
    folder.mkdir()
    world = stack.enter_context(crowd.running(people=people))
    port = processes.free_port()
    stack.enter_context(
        processes.running(
            crowd.peer_commands(port),
            folder=folder,
            environment=crowd.peer_environment(folder, place, world),
        )
    )
    ends_at = time.monotonic() + STARTS_WITHIN
    while not list((folder / "ready").iterdir()):
        if time.monotonic() > ends_at:
            raise BenchFailed(f"the peer did not start:\n{processes.tail(folder)}")
        time.sleep(0.1)
    side = Side(THEIRS, f"http://127.0.0.1:{port}/callback", world)
    processes.wait_for_port(port, STARTS_WITHIN)
    httpx.post(side.url, data={"username": crowd.name(0), "slug": crowd.GOAL.format(0)})
    return side


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.latency",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each measurement")
    parser.add_argument("--rates", nargs="+", type=float, default=[20.0, 50.0], help="a second")
    parser.add_argument("--people", type=int, default=50, help="each with a token of their own")
    parser.add_argument("--backlog", type=int, default=0, help="scheduled syncs that wait")
    parser.add_argument("--places", nargs="+", choices=places.PLACES, default=list(places.PLACES))
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    return parser


if __name__ == "__main__":
    sys.exit(main())
