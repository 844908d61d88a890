"""`python -m bench.crash`: everything is killed (SIGKILL) with a thousand callbacks under way.

Fifty people are called twenty times each, all at once; as soon as a thousand callbacks are stored
the receiver, the workers and what watches them are killed at once and started again. Measured is
the time from the restart until the last callback that was stored has ended in the ledger, and what
is on the goals then: one datapoint each, with what the source said last.

Examples:
  python -m bench.crash
  python -m bench.crash --callbacks 200 --rounds 1 --places embedded --json crash.json

"""

import argparse
import asyncio
import contextlib
import os
import signal
import sys
import tempfile
import time
from contextlib import ExitStack, closing
from pathlib import Path

import httpx
from sqlalchemy import func, select
from sqlmodel import col

from bench import command, crowd, places, processes
from bench.crowd import Crowd
from bench.house import BenchFailed, House
from bench.idle import family
from bench.lines import Line, Spread
from db.engine import Ledger
from db.inbox import ENDED
from db.models import Event
from db.states import EventState

PEOPLE = 50
LANDED_WITHIN = 15.0  # what is promised
PATIENCE = 90.0


def main() -> int:
    """Measure, print, and return the exit status: 1 when Waggle breaks a promise."""
    given = _parser().parse_args()
    return command.run(
        given,
        lambda: command.at_each(
            given.places, lambda name: measured(name, given.rounds, given.callbacks)
        ),
    )


def measured(name: str, rounds: int, callbacks: int) -> list[Line]:
    """All lines of one place."""
    took, twice, wrong, title = [], [], [], name
    for number in range(rounds):
        with tempfile.TemporaryDirectory(prefix="waggle-crash-") as text, ExitStack() as stack:
            place = stack.enter_context(places.PLACES[name](Path(text)))
            title = place.name
            world = stack.enter_context(crowd.running(people=PEOPLE))
            house = House(Path(text) / "waggle", place, **crowd.settings(Path(text), world))
            crowd.apply(house, world)
            seconds, stored, open_then = _crashed(house, world, callbacks)
            took.append(seconds)
            twice.append(float(_twice(world)))
            wrong.append(float(_not_fresh(house, world)))
        print(
            f"round {number + 1}  {title}: {stored} stored, {open_then} of them not ended when "
            f"everything was killed; all ended {seconds:.1f} s after the restart",
            flush=True,
        )
    return [
        Line(
            what=f"{title}: all ended after the restart",
            ours=Spread(tuple(took), "s"),
            most=LANDED_WITHIN,
        ),
        Line(what=f"{title}: datapoints twice", ours=Spread(tuple(twice)), most=0.0),
        Line(what=f"{title}: goals without what was read last", ours=Spread(tuple(wrong)), most=0),
    ]


def _crashed(house: House, world: Crowd, callbacks: int) -> tuple[float, int, int]:
    """Seconds from the restart to the end, how many were stored, how many had not ended."""
    up = [house.command("up")]
    with processes.running(up, folder=house.folder, environment=house.environment) as (first,):
        house.wait()
        with closing(Ledger(house.ledger_url)) as ledger:
            asyncio.run(_call(house.callback_url, world, callbacks, first.pid, ledger))
            first.wait()
            stored, ended = _counts(ledger)
            began = time.monotonic()
            with processes.running(up, folder=house.folder, environment=house.environment):
                _wait(ledger, house, stored)
                return time.monotonic() - began, stored, stored - ended


async def _call(url: str, world: Crowd, callbacks: int, root: int, ledger: Ledger) -> None:
    """Send so many at once; kill the whole family while they are held."""
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(timeout=PATIENCE, limits=limits) as client:

        async def one(number: int) -> None:
            person = number % world.people
            fields = {"username": crowd.name(person), "slug": crowd.GOAL.format(person)}
            with contextlib.suppress(httpx.TransportError):  # it is about to be killed
                await client.post(url, data=fields)

        sent = [asyncio.create_task(one(number)) for number in range(callbacks)]
        await _all_stored(ledger, callbacks)
        for pid in list(family(root)):
            with contextlib.suppress(ProcessLookupError):  # a child ends with its parent
                os.kill(pid, signal.SIGKILL)
        await asyncio.gather(*sent)


async def _all_stored(ledger: Ledger, callbacks: int) -> None:
    ends_at = time.monotonic() + PATIENCE
    while _counts(ledger)[0] < callbacks:
        if time.monotonic() > ends_at:
            raise BenchFailed("not all callbacks were stored")
        await asyncio.sleep(0.02)


def _counts(ledger: Ledger) -> tuple[int, int]:
    """How many callbacks there are, and how many have ended."""
    with ledger.read() as session:
        counted = session.connection().execute(
            select(col(Event.state), func.count()).group_by(col(Event.state))
        )
        found = {row[0]: row[1] for row in counted}
    return sum(found.values()), sum(count for state, count in found.items() if state in ENDED)


def _wait(ledger: Ledger, house: House, stored: int) -> None:
    ends_at = time.monotonic() + PATIENCE
    while _counts(ledger)[1] < stored:
        if time.monotonic() > ends_at:
            stored, ended = _counts(ledger)
            text = f"{stored - ended} of {stored} callbacks have not ended"
            raise BenchFailed(f"{text}:\n{processes.tail(house.folder)}")
        time.sleep(0.1)


def _twice(world: Crowd) -> int:
    """How many datapoints are one too many on their goal."""
    with world.beeminder.state.lock:
        made: dict[str, set[str]] = {}
        for change in world.beeminder.state.history:
            if change.kind == "created":
                made.setdefault(change.slug, set()).add(change.id)
    return sum(len(points) - 1 for points in made.values())


def _not_fresh(house: House, world: Crowd) -> int:
    """How many goals do not hold what their source was last asked for, or whose events failed."""
    with world.beeminder.state.lock:
        last = {change.slug: change.value for change in world.beeminder.state.history}
    with closing(Ledger(house.ledger_url)) as ledger, ledger.read() as session:
        failed = session.connection().execute(
            select(func.count()).where(col(Event.state).in_((EventState.FAILED, EventState.DEAD)))
        )
        bad = failed.scalar_one()
    stale = sum(
        last.get(crowd.GOAL.format(person)) != len(world.vendor.asked.get(person, []))
        for person in range(world.people)
    )
    return bad + stale


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench.crash",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--callbacks", type=int, default=1000)
    parser.add_argument("--places", nargs="+", choices=places.PLACES, default=list(places.PLACES))
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    return parser


if __name__ == "__main__":
    sys.exit(main())
