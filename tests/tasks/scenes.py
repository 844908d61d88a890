"""What several tests of tasks set up and look at, beside the world itself."""

import threading
from collections.abc import Callable
from typing import TypeVar

import httpx
from sqlmodel import SQLModel, select

from db import feeds
from db.models import Cover, Event, Feed, Source
from db.models_points import Datapoint
from db.states import Lane
from tasks import callbacks, suspects, sync
from tasks.runtime import Runtime
from tests.world import CrashError, World

TODAY, YESTERDAY = "20261120", "20261119"
T = TypeVar("T", bound=SQLModel)
LEASE_OVER = feeds.LEASE_SECONDS + 0.5
TRIED_AGAIN = 4 * LEASE_OVER  # after every pause between deaths in a row


def change_feed(world: World, feed_id: int | None = None, **columns: object) -> None:
    """Set columns of a feed, by default of the world's first."""
    with world.ledger.write() as session:
        feed = session.get_one(Feed, feed_id or world.feed_id)
        for name, value in columns.items():
            setattr(feed, name, value)
        session.add(feed)


def only_today(world: World) -> None:
    """The feed starts today: a sync sends a single point, and no batch."""
    change_feed(world, since=TODAY)


def link_many(world: World, count: int, **params: object) -> dict[int, float]:
    """Feeds of so many series on the goal `output`; today's value by feed id."""
    expected = {}
    for number in range(count):
        series = world.bemserver.state.add_series(f"S{number}", campaign="Many").id
        world.measure(series, {world.clock.at - 60: 1.0 + number})
        feed_id = world.link("output", series=series, label=f"l{number}", params=dict(params))
        expected[feed_id] = 1.0 + number
    return expected


def second_source(world: World, name: str = "roof") -> int:
    """Another source of alice's at the same server; returns its id."""
    with world.ledger.write() as session:
        known = session.get_one(Source, world.source_id)
        source = Source(
            user_id=known.user_id,
            name=name,
            provider=known.provider,
            settings=dict(known.settings),
            credentials_cipher=known.credentials_cipher,
        )
        session.add(source)
        session.flush()
        return source.id or 0


def all_rows(world: World, table: type[T]) -> list[T]:
    """Every row of a table, in the order of its key."""
    with world.reading() as session:
        return list(session.exec(select(table).order_by(*table.__table__.primary_key)))


def written(world: World) -> tuple[list[dict], list[dict], list[dict]]:
    """What a fenced worker may not touch: the datapoints, events and covers of the ledger."""
    return tuple(
        [row.model_dump() for row in all_rows(world, table)] for table in (Datapoint, Event, Cover)
    )


def die(world: World, rt: Runtime, lane: Lane = Lane.BULK) -> bool:
    """Work until the process is killed; False when nothing killed it."""
    try:
        while sync.run(rt, lane) or suspects.run(rt):
            pass
    except CrashError:
        return True
    return False


def look_up(world: World, rt: Runtime | None = None) -> None:
    """Open what came in, and look up every name that nobody knows and that is due."""
    rt = rt or world.runtime()
    callbacks.open_new(rt)
    while callbacks.look_one_up(rt):
        pass


def bells(world: World) -> set[tuple[str, str]]:
    """Which bells have been rung, (task, queue)."""
    return set(world.rung)


class Stall(httpx.HTTPTransport):
    """A real transport that stops before or after one request, until it is let go."""

    def __init__(self, *, method: str, path: str, after: bool = False) -> None:
        super().__init__()
        self._what = (method, path)
        self._after = after
        self.reached = threading.Event()
        self.go = threading.Event()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """One request, held up when it is the one."""
        method, path = self._what
        hit = request.method == method and path in request.url.path and not self.reached.is_set()
        if hit and not self._after:
            self._wait()
        response = super().handle_request(request)
        if hit and self._after:
            self._wait()
        return response

    def _wait(self) -> None:
        self.reached.set()
        if not self.go.wait(10):
            message = "nobody let the stalled request go"
            raise RuntimeError(message)


class InThread:
    """A function running in a thread; `join` gives its result or raises what it raised."""

    def __init__(self, work: Callable[[], object]) -> None:
        self._work = work
        self.result: object = None
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.result = self._work()
        except BaseException as error:  # noqa: BLE001 -- handed to whoever joins
            self.error = error

    def join(self) -> object:
        """Wait for the end: its result, or what it raised."""
        self._thread.join(20)
        if self._thread.is_alive():
            message = "the thread did not end"
            raise RuntimeError(message)
        if self.error is not None:
            raise self.error
        return self.result


def at_once(count: int, work: Callable[[int], object]) -> list[object]:
    """Run `work(0)` to `work(count - 1)` in threads that start together; their results."""
    gate = threading.Barrier(count)

    def run(number: int) -> object:
        gate.wait(10)
        return work(number)

    threads = [InThread(lambda number=number: run(number)) for number in range(count)]
    return [thread.join() for thread in threads]
