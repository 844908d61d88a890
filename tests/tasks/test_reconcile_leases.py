"""When a goal is reconciled, by whom, and what becomes of it when somebody is killed."""

import pytest

from db import feeds
from db.states import FeedState
from simulators.faults import Fault
from tasks import reconcile
from tasks.repairs import Repair
from tests.tasks.differences import (
    change_row,
    daily,
    edit,
    examine,
    notices,
    row,
)
from tests.tasks.scenes import LEASE_OVER, TODAY, YESTERDAY, change_feed
from tests.world import DAY, CrashError, World, crash_at

pytestmark = pytest.mark.usefixtures("landed")


@pytest.mark.parametrize("state", [FeedState.PAUSED, FeedState.STOPPED])
def test_what_a_person_stopped_is_looked_at_only_when_asked(world: World, state: str) -> None:
    """The bell leaves it alone; a person may ask, and may have it repaired."""
    change_feed(world, state=state, reason="by a person")
    edit(world, YESTERDAY, value=9.0)
    assert not daily(world)
    assert examine(world, Repair.EDITS).settled
    assert world.values()[YESTERDAY] == 7.0
    assert world.feed().state == state


def test_a_goal_is_due_once_a_day(world: World) -> None:
    """Not before, and not twice."""
    rt = world.runtime()
    assert not reconcile.run(rt)
    world.clock.advance(DAY + 7200)
    assert not reconcile.run(rt)  # the feed itself is due, and goes first
    world.work()
    assert reconcile.run(rt)
    assert not reconcile.run(rt)
    world.clock.advance(DAY / 2)
    world.work()
    assert not reconcile.run(rt)


@pytest.mark.parametrize("status", [500, 429, 401, 404])
def test_what_fails_is_tried_again_in_an_hour(world: World, status: int) -> None:
    """Whatever Beeminder says: the feed stays as it was, and no circle is run in."""
    world.beeminder.faults.add(
        Fault(method="GET", path="datapoints", status=status, body={"errors": "no"}, times=None)
    )
    before = (world.feed().state, world.feed().due_at, world.feed().attempts)
    assert daily(world)
    assert not reconcile.run(world.runtime())
    assert (world.feed().state, world.feed().due_at, world.feed().attempts) == before
    world.beeminder.faults.clear()
    asked = world.beeminder.faults.count("datapoints")
    world.clock.advance(3000)
    assert not reconcile.run(world.runtime())
    assert world.beeminder.faults.count("datapoints") == asked
    assert world.feed().lease_until <= world.clock.at


@pytest.mark.parametrize(
    "step", ["reconcile.claimed", "reconcile.read", "reconcile.recorded", "reconcile.finished"]
)
def test_a_worker_killed_at_any_step_harms_nothing(world: World, step: str) -> None:
    """The lease ends, the next one finds the same, and the person is told once."""
    edit(world, YESTERDAY, value=9.0)
    change_feed(world, reconciled_at=0.0)
    with pytest.raises(CrashError):
        reconcile.run(world.runtime(trace=crash_at(step)))
    world.clock.advance(LEASE_OVER)
    world.work()  # a feed with a frozen day is asked for
    change_feed(world, reconciled_at=0.0)
    assert reconcile.run(world.runtime())
    assert row(world, YESTERDAY).frozen == "edited"
    assert notices(world) == [("edited", YESTERDAY)]
    assert world.values()[YESTERDAY] == 9.0


@pytest.mark.parametrize("step", ["reconcile.recorded", "push.begun", "push.sent"])
def test_a_repair_that_is_killed_is_finished_by_the_outbox(world: World, step: str) -> None:
    """A yes that was given counts: the value goes out once, and is not taken for an edit."""
    edit(world, YESTERDAY, value=9.0)
    daily(world)
    with pytest.raises(CrashError):
        examine(world, Repair.EDITS, world.runtime(trace=crash_at(step)))
    world.clock.advance(LEASE_OVER)
    world.work()
    assert world.values() == {TODAY: 2.5, YESTERDAY: 7.0}
    assert examine(world).told == ()
    assert notices(world) == []


def test_a_feed_that_is_being_synced_is_not_taken(world: World) -> None:
    """One at a time: whoever asks is told to come back."""
    change_feed(world, lease_owner="somebody", lease_until=world.clock.at + 5)
    rt = world.runtime()
    assert reconcile.examine(rt, world.feed().goal_id, repair=Repair.NOTHING) is None
    assert not daily(world)
    assert world.feed().lease_owner == "somebody"


def test_one_busy_feed_keeps_no_lease_of_the_others(world: World) -> None:
    """All feeds of a goal or none."""
    other = world.link("energy", label="roof", series=world.other_series)
    change_feed(world, other, lease_owner="somebody", lease_until=world.clock.at + 5)
    rt = world.runtime()
    assert reconcile.examine(rt, world.feed().goal_id, repair=Repair.NOTHING) is None
    assert world.feed().lease_until == 0.0


def test_whoever_lost_the_lease_writes_nothing(world: World) -> None:
    """A worker that slept while it read changes neither the ledger nor Beeminder."""
    edit(world, YESTERDAY, value=9.0)
    change_feed(world, reconciled_at=0.0)

    def sleep(step: str) -> None:
        if step == "reconcile.read":
            change_feed(world, epoch=99, lease_owner="successor", lease_until=9e9)

    assert reconcile.run(world.runtime(trace=sleep))
    assert row(world, YESTERDAY).frozen is None
    assert notices(world) == []
    assert world.feed().lease_owner == "successor"


def test_what_a_person_decides_meanwhile_counts(world: World) -> None:
    """A row that changed since it was compared is left to the next look."""
    edit(world, YESTERDAY, value=9.0)

    def approve(step: str) -> None:
        if step == "reconcile.read":
            change_row(world, YESTERDAY, content_hash="approved", state="pending", due_at=9e9)

    report = examine(world, rt=world.runtime(trace=approve))
    assert [one.done for one in report.told] == ["left"]
    assert row(world, YESTERDAY).frozen is None


def test_a_callback_is_not_kept_waiting(world: World) -> None:
    """Asked for between two pages, the feed is given back at once; the comparison comes later."""
    edit(world, YESTERDAY, value=9.0)
    change_feed(world, reconciled_at=0.0)

    def ask(step: str) -> None:
        if step == "reconcile.page":
            with world.ledger.write() as session:
                feeds.ask(session, [world.feed_id], world.clock.at)

    assert reconcile.run(world.runtime(trace=ask))
    assert world.feed().lease_until == 0.0
    assert row(world, YESTERDAY).frozen is None
    assert not reconcile.run(world.runtime())  # the sync goes first
    world.work()
    assert reconcile.run(world.runtime())
    assert row(world, YESTERDAY).frozen == "edited"
