"""A worker that slept through its lease changes nothing in the ledger, and its push is repaired."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from db import feeds
from db.states import Lane
from simulators.faults import Fault
from tasks import sync
from tasks.runtime import Runtime
from tests.tasks.scenes import (
    LEASE_OVER,
    TODAY,
    YESTERDAY,
    InThread,
    Stall,
    change_feed,
    only_today,
    written,
)
from tests.world import World

OLD, NEW = 2.5, 3.5


@dataclass(slots=True)
class Sleeper:
    """A worker that stands still in a request; `wake` lets it go on and waits for its end."""

    rt: Runtime
    stall: Stall
    thread: InThread

    def wake(self) -> None:
        """Let it go on, and wait until it has ended."""
        self.stall.go.set()
        self.thread.join()


@contextlib.contextmanager
def asleep(world: World, *, path: str = "datapoints", after: bool = False) -> Iterator[Sleeper]:
    """A worker claimed, read OLD, began its push and sleeps; its lease has ended since."""
    stall = Stall(method="POST", path=path, after=after)
    with httpx.Client(transport=stall, timeout=20) as http:
        rt = world.runtime(http=http)
        sleeper = Sleeper(rt, stall, InThread(lambda: sync.run(rt, Lane.BULK)))
        assert stall.reached.wait(10)
        world.clock.advance(LEASE_OVER)
        world.measure(world.series, {world.clock.at - 60: 1.0})
        yield sleeper
        sleeper.wake()


@pytest.mark.parametrize("points", ["one", "several"])
def test_a_late_worker_changes_nothing_in_the_ledger(world: World, points: str) -> None:
    """A stalls in its push, B writes a newer value, A wakes: rows as B left them, then repair."""
    if points == "one":
        only_today(world)
    event_id = world.call_back()
    with asleep(world) as sleeper:
        world.work()
        assert world.values()[TODAY] == NEW
        assert world.event(event_id).state == "done"
        rows, feed = written(world), world.feed()

        sleeper.wake()

        assert written(world) == rows
        assert world.feed().model_dump(
            include={"epoch", "last_synced_at", "lease_owner", "state", "last_error"}
        ) == feed.model_dump(
            include={"epoch", "last_synced_at", "lease_owner", "state", "last_error"}
        )
        assert world.values()[TODAY] == OLD  # Beeminder has no conditional write
        assert world.feed().doubtful

    world.work()

    assert world.values()[TODAY] == NEW
    assert not world.feed().doubtful
    assert len(world.points()) == len(rows[0])


@pytest.mark.parametrize("action", ["lose_reply", "invalid_json"])
def test_a_late_push_without_an_answer_is_in_doubt_as_well(world: World, action: str) -> None:
    """A's late write is carried out, but its reply is lost: Beeminder is repaired all the same."""
    with asleep(world) as sleeper:
        world.work()
        world.beeminder.faults.add(Fault(action=action, method="POST", path="datapoints"))
        sleeper.wake()
        assert world.values()[TODAY] == OLD

    world.clock.advance(5)
    world.work()

    assert world.values() == {TODAY: NEW, YESTERDAY: 7.0}


def test_the_doubt_survives_the_end_of_the_sync_that_took_over(world: World) -> None:
    """A's old value lands after B's push and before B's finish: B's finish keeps the doubt."""
    with asleep(world) as sleeper:

        def trace(step: str) -> None:
            if step == "push.sent":
                sleeper.wake()

        sync.run(world.runtime(trace=trace), Lane.BULK, alone=True)
        assert world.values()[TODAY] == OLD
        assert world.feed().doubtful

    world.work()

    assert world.values()[TODAY] == NEW


@pytest.mark.parametrize("points", ["one", "several"])
def test_a_push_does_not_begin_when_its_lease_has_ended(world: World, points: str) -> None:
    """A stalls between its step and its request: it looks at the lease again, and sends nothing."""
    if points == "one":
        only_today(world)

    def sleep(step: str) -> None:
        if step == "push.begun":
            world.clock.advance(LEASE_OVER)
            world.measure(world.series, {world.clock.at - 60: 1.0})
            world.work()

    world.call_back()
    before = world.beeminder.faults.count("datapoints", "POST")
    sync.run(world.runtime(trace=sleep), Lane.BULK)

    assert world.values()[TODAY] == NEW
    assert world.beeminder.faults.count("datapoints", "POST") == before + 1


def test_a_late_mark_is_refused(world: World) -> None:
    """A's push landed in time, its mark comes late: refused, and the next sync sets it right."""
    with asleep(world, after=True) as sleeper:
        world.work()
        rows = written(world)
        sleeper.wake()
        assert written(world) == rows

    world.work()

    assert world.values() == {TODAY: NEW, YESTERDAY: 7.0}
    assert len(world.points()) == 2


def test_a_value_that_changed_back_after_an_unconfirmed_push(world: World) -> None:
    """A push without an answer may have landed: the old value is sent again, not believed in."""
    world.work()
    world.measure(world.series, {world.clock.at - 60: 1.0})
    world.beeminder.faults.add(Fault(action="lose_reply", method="POST", path="datapoints"))
    world.call_back()
    world.work()
    assert world.values()[TODAY] == NEW
    world.bemserver.state.remove_values(
        world.series, world.clock.at - 61, world.clock.at - 59, data_state="Clean"
    )
    world.clock.advance(5)

    world.work()

    assert world.values()[TODAY] == OLD


def test_a_deleted_point_stays_deleted_when_the_doubt_is_looked_into(world: World) -> None:
    """The read-back repairs what differs; what a person deleted is not restored."""
    world.work()
    point = next(p for p in world.points() if p.daystamp == YESTERDAY)
    del world.beeminder.state.goal("alice", "energy").datapoints[point.id]
    change_feed(world, doubtful=True, due_at=world.clock.at)

    world.work()

    assert world.values() == {TODAY: OLD}
    assert not world.feed().doubtful


def test_a_push_under_way_when_its_worker_stops(world: World) -> None:
    """The leases were handed back while A's push was under way: it is in doubt, not forgotten."""
    with asleep(world) as sleeper:
        sleeper.rt.stopping.set()
        with world.ledger.write() as session:
            feeds.hand_back(session, owner=sleeper.rt.owner)
        world.work()
        assert world.values()[TODAY] == NEW
        sleeper.wake()
        assert world.values()[TODAY] == OLD

    world.work()

    assert world.values()[TODAY] == NEW


def test_a_stopping_worker_hands_back_between_steps(world: World) -> None:
    """SIGTERM between two steps: nothing more is sent, and the next worker finishes at once."""
    event_id = world.call_back()
    rt = world.runtime()

    def trace(step: str) -> None:
        if step == "recorded":
            rt.stopping.set()

    rt.trace = trace
    sync.run(rt, Lane.BULK)
    assert world.values() == {}
    with world.ledger.write() as session:
        feeds.hand_back(session, owner=rt.owner)

    world.work()

    assert world.values() == {TODAY: OLD, YESTERDAY: 7.0}
    assert world.event(event_id).state == "done"
