"""Looking for ended leases: before each claim, but no more than once a second."""

import contextlib
from collections.abc import Callable, Iterator

import httpx
import pytest
from sqlmodel import Session
from structlog.testing import capture_logs

from db.engine import Ledger
from db.feeds import LEASE_SECONDS
from db.models import Event, Feed
from db.models_points import Datapoint
from db.states import Lane
from tasks import backfill, callbacks, deaths, deauthorize, deliver, reconcile, sync
from tasks.runtime import Runtime
from tests.tasks import past_days
from tests.tasks.scenes import LEASE_OVER, TRIED_AGAIN, all_rows, change_feed, die
from tests.tasks.test_deauthorize import taken_away
from tests.world import DAY, CrashError, World, crash_at


def test_what_died_is_free_again_and_logged(world: World) -> None:
    """By the next process that looks; the log says who died with which worker."""
    die(world, world.runtime(trace=crash_at("claimed")))
    world.clock.advance(LEASE_OVER)
    with capture_logs() as logs:
        deaths.bury(world.runtime())
    assert world.feed().lease_owner is None
    assert logs == [
        {
            "event": "work.died",
            "log_level": "warning",
            "owner": "worker-1",
            "worker": "gone",
            "counted": world.feed_id,
            "suspects": (),
            "events": (),
        }
    ]


def test_a_fifth_death_is_an_error_in_the_log(world: World) -> None:
    """An operator who reads only errors hears of what is set aside."""
    for _ in range(5):
        die(world, world.runtime(trace=crash_at("claimed")))
        world.clock.advance(TRIED_AGAIN)
    with capture_logs() as logs:
        deaths.bury(world.runtime())
    assert [(log["event"], log["log_level"]) for log in logs] == [
        ("work.died", "warning"),
        ("feed.set_aside", "error"),
    ]


def test_one_process_looks_once_a_second(world: World) -> None:
    """Every callback comes by here; leases of ten seconds need no closer look."""
    rt = world.runtime()
    die(world, world.runtime(trace=crash_at("claimed")))
    world.clock.advance(LEASE_OVER - 1.0)
    deaths.bury(rt)
    world.clock.advance(0.9)
    deaths.bury(rt)
    assert world.feed().lease_owner is not None
    world.clock.advance(0.2)
    deaths.bury(rt)
    assert world.feed().lease_owner is None


WAIT = 4.0  # for the lock of the ledger


class Locked(Ledger):
    """The ledger, where somebody else has the lock for a while before each write."""

    world: World

    @contextlib.contextmanager
    def write(self, *, durable: bool = True) -> Iterator[Session]:
        """A transaction that began when the lock was free."""
        with super().write() as session:
            self.world.clock.advance(WAIT)
            yield session


class Killing(httpx.HTTPTransport):
    """The process dies at its first request."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The end."""
        raise CrashError


def _all_is_due(world: World) -> None:
    past_days.history(world, 60)
    world.work()
    past_days.ask(world)
    change_feed(world, reconciled_at=0.0, due_at=world.clock.at + DAY)
    with world.ledger.write() as session:
        point = session.get_one(Datapoint, all_rows(world, Datapoint)[0].id)
        point.state, point.due_at, point.landed_hash = "pending", 0.0, None
        session.add(point)
    taken_away(world)
    world.call_back("renamed")


def _sync(rt: Runtime) -> bool:
    with rt.ledger.write() as session:
        feed = session.get_one(Feed, 1)
        feed.due_at = 0.0
        session.add(feed)
    return sync.run(rt, Lane.BULK)


@pytest.mark.parametrize(
    ("run", "step", "writes"),
    [
        (_sync, "claimed", 0),
        (deliver.run, "push.begun", 0),
        (backfill.run, "backfill.claimed", 0),
        (reconcile.run, "reconcile.claimed", 0),
        (deauthorize.run, "", 1),  # whether Beeminder may be asked
        (callbacks.look_one_up, "", 0),
    ],
)
def test_a_lease_counts_from_when_it_is_written(
    world: World, run: Callable[[Runtime], object], step: str, writes: int
) -> None:
    """Not from before its claim waited for the lock: it would be short, and look unrenewed."""
    _all_is_due(world)
    callbacks.open_new(world.runtime())
    locked = Locked(world.ledger.url.render_as_string(hide_password=False))
    locked.world = world
    rt = world.runtime(ledger=locked, trace=crash_at(step))
    with httpx.Client(transport=Killing()) as rt.http, pytest.raises(CrashError):
        run(rt)
    locked.close()

    held = [row for table in (Feed, Event) for row in all_rows(world, table) if row.lease_owner]
    assert [row.lease_until - world.clock.at for row in held] == [LEASE_SECONDS - writes * WAIT]
