"""Outages in a test: who is away, since when, and a clock that goes on to what is due next."""

from collections.abc import Callable, Iterator

import httpx
import pytest
from sqlmodel import select

from db.breakers import URGENT_SECONDS
from db.models import Feed, Notice
from db.models_limits import Breaker
from db.states import Lane
from simulators.faults import Fault, Faults
from tasks import outages
from tasks.runtime import Runtime
from tests.tasks.scenes import all_rows
from tests.world import NOON, World

HOUR = 3600.0
SIDES = {"source": ("bemserver", "source:1"), "link": ("beeminder", "user:1")}
BOTH_SIDES = pytest.mark.parametrize("side", SIDES)  # who is away: the source, or Beeminder


def faults_of(world: World, side: str) -> Faults:
    """The faults, and the log, of the server behind this."""
    simulator: Faults = getattr(world, SIDES[side][0]).faults
    return simulator


def go(world: World, side: str = "source", **fault: object) -> None:
    """From now on nobody answers there, or something else is wrong."""
    faults_of(world, side).add(Fault(**({"action": "reset", "times": None} | fault)))


def broken(world: World, side: str = "source", *, opened: bool = True) -> None:
    """The same, ten minutes ago: feeds are in back-off, and the breaker is open, or just not."""
    go(world, side)
    now = world.clock.at
    row = Breaker(subject=SIDES[side][1], bad=20.0, failed_for=300.0, counted_at=now, reason="gone")
    row.troubled_since = now - 599
    if opened:
        row.opened_at, row.probed_at, row.probe_at = now, now, now + 60
    with world.ledger.write() as session:
        session.add(row)
        for number, feed in enumerate(session.exec(select(Feed))):
            feed.attempts, feed.failing_since = 20, now - 599
            feed.due_at = now + 10 + 30 * number
            session.add(feed)


class Slow(httpx.HTTPTransport):
    """A real transport over which some requests take long, by the world's clock.

    `wait`: what happens meanwhile, if it is more than that time passes.
    """

    def __init__(
        self,
        world: World,
        *,
        path: str,
        method: str = "",
        seconds: float = 8.0,
        wait: Callable[[float], None] | None = None,
    ) -> None:
        super().__init__()
        self._path, self._method = path, method
        self._seconds, self._wait = seconds, wait or world.clock.advance

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """One request, which is late if it is one of these."""
        if request.method.startswith(self._method) and self._path in request.url.path:
            self._wait(self._seconds)
        return super().handle_request(request)


def drive(world: World, rt: Runtime, until: float) -> None:
    """Work whenever something comes due, until so many seconds after noon."""
    while True:
        world.work(rt)
        now = world.clock.at
        step = min((at for at in instants(world) if at > now), default=until + NOON)
        world.clock.at = min(step, until + NOON)
        if step >= until + NOON:
            return world.work(rt)


def instants(world: World) -> Iterator[float]:
    """When something may come due that no breaker holds up."""
    rows = [row for row in all_rows(world, Breaker) if row.opened_at is not None]
    urgent = max((row.probed_at + URGENT_SECONDS for row in rows), default=0.0)
    other = max((row.probe_at for row in rows), default=0.0)
    for feed in all_rows(world, Feed):
        yield max(feed.due_at, urgent if feed.lane == Lane.URGENT else other)


def tries(world: World, side: str, since: float = 0.0) -> list[float]:
    """When somebody asked there, in seconds after noon; what is asked at one time is one try."""
    asked = {request.started_at - NOON for request in faults_of(world, side).requests}
    return sorted(at for at in asked if at >= since)


def told(world: World, *, everything: bool = False) -> list[tuple[str, str]]:
    """The open notices about outages as (kind, subject); `everything`: also those cleared."""
    return [
        (row.kind, row.subject)
        for row in all_rows(world, Notice)
        if row.kind in (outages.OPENED, outages.CLOSED) and (everything or row.cleared_at is None)
    ]
