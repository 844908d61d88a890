"""`python -m bench.ledger`: what a large ledger costs: sweeps, `waggle status`, and callbacks.

Two installations, one with so many feeds that are not called; a thousand of these are due when the
queries are measured, and none while callbacks are: those are measured in turns on both.

Examples:
  python -m bench.ledger --places embedded
  python -m bench.ledger --places servers --feeds 1000000 --json ledger.json
  python -m bench.ledger --feeds 20000 --rounds 1 --seconds 5

"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing
from pathlib import Path

from bench import command, filled, latency, places
from bench.house import House
from bench.latency import Side
from bench.lines import Line, Spread
from db import overview
from db.engine import Ledger
from tasks import sweep
from tasks.runtime import Runtime
from worker import runtime, settings

SWEEP, STATUS, LATENCY = 50.0, 300.0, 1.2  # what is promised: ms, ms, times an empty ledger's
SHOWN = 100  # entries of each list that `waggle status --limit` shows
TIMES = 15  # looks at the ledger in each round
DUE = 1000


def main() -> int:
    """Measure, print, and return the exit status: 1 when Waggle breaks a promise."""
    given = _parser().parse_args()
    return command.run(
        given,
        lambda: command.at_each(given.places, lambda name: measured(name, given)),
        feeds=given.feeds,
        due=DUE,
    )


def measured(name: str, given: argparse.Namespace) -> Iterator[Line]:
    """All lines of one place."""
    with tempfile.TemporaryDirectory(prefix="waggle-ledger-") as text, ExitStack() as stack:
        sides, houses = [], []
        for number, feeds in enumerate((0, given.feeds)):
            folder = Path(text) / str(number)
            folder.mkdir()
            place = stack.enter_context(places.PLACES[name](folder))
            side, house = latency.waggle(
                stack, folder / "waggle", place, people=given.people, fill=feeds
            )
            sides.append(side)
            houses.append(house)
        empty, full = sides
        full.name = f"{given.feeds} feeds"
        for number in range(given.rounds):
            for side in (empty, full):
                print(f"round {number + 1}  {side.measure(given.rate, given.seconds)}", flush=True)
        yield from _compared(place.name, given.rate, empty, full)
        for house in houses:  # nobody works meanwhile
            house.stop()
        yield from _queries(place.name, houses, given)


def _compared(title: str, rate: float, empty: Side, full: Side) -> Iterator[Line]:
    for which, words in enumerate(("p50", "p99")):
        yield Line(
            what=f"{title}: {words} at {rate:g}/s, {full.name}",
            ours=full.spread(rate, which),
            beside="an empty ledger",
            theirs=empty.spread(rate, which),
            most=LATENCY,
        )


def _queries(title: str, houses: Sequence[House], given: argparse.Namespace) -> Iterator[Line]:
    """A whole sweep, and what `waggle status` asks, of both; in the full one feeds are due."""
    empty, full = houses
    with closing(Ledger(full.ledger_url)) as ledger:
        filled.fall_due(ledger, feeds=DUE, now=time.time())
    with _at_rest(empty) as without, _at_rest(full) as rt:
        asked: tuple[tuple[str, Callable[[Runtime], object], float], ...] = (
            ("a whole sweep", sweep.run, SWEEP),
            (f"status, {SHOWN} of each", lambda rt: _status(rt, SHOWN), STATUS),
        )
        for words, ask, most in asked:
            rounds = [(_took(ask, rt), _took(ask, without)) for _ in range(given.rounds)]
            ours, theirs = (Spread(tuple(found), "ms") for found in zip(*rounds, strict=True))
            yield Line(what=f"{title}: {words}", ours=ours, most=most)
            yield Line(what="  the same of an empty ledger", ours=theirs)
        whole = _took(lambda rt: _status(rt, None), rt, times=1)
        yield Line(what=f"{title}: status, all of it", ours=Spread((whole,), "ms"))


def _at_rest(house: House) -> AbstractContextManager[Runtime]:
    found = settings.load(house.environment, dotenv=None)
    return runtime.build(found, ring=lambda _task, _queue: True)


def _status(rt: Runtime, limit: int | None) -> None:
    with rt.ledger.read() as session:
        overview.status(session, rt.clock.now(), limit=limit)


def _took(ask: Callable[[Runtime], object], rt: Runtime, *, times: int = TIMES) -> float:
    """The median, in milliseconds."""
    found = []
    for _ in range(times):
        began = time.perf_counter()
        ask(rt)
        found.append((time.perf_counter() - began) * 1000)
    return statistics.median(found)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.ledger",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--feeds", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10.0, help="of callbacks, each time")
    parser.add_argument("--rate", type=float, default=10.0, help="callbacks a second")
    parser.add_argument("--people", type=int, default=50, help="who are called")
    parser.add_argument("--places", nargs="+", choices=places.PLACES, default=list(places.PLACES))
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    return parser


if __name__ == "__main__":
    sys.exit(main())
