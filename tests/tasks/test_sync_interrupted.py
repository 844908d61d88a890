"""In the middle of a sync somebody decides something, and the worker lives on or is killed."""

from collections.abc import Callable

import pytest

from db import approvals, outbox, pauses
from db.models_points import Datapoint
from db.states import FeedState, Lane
from tasks import deliver, reconcile, suspects, sync
from tasks.repairs import Repair
from tasks.runtime import Runtime
from tests.tasks import past_days
from tests.tasks.measured import row, say
from tests.tasks.scenes import LEASE_OVER, TODAY, YESTERDAY, all_rows, change_feed
from tests.world import DAY, NOON, CrashError, World

EARLIER = "20261118"
LAST = {EARLIER: 6.0, YESTERDAY: 4.0, TODAY: 6.0}


def approve(world: World) -> None:
    """A person lets yesterday's 4 pass."""
    with world.ledger.write() as session:
        approvals.approve(session, [world.feed_id], daystamp=None, now=world.clock.at)


def drop(world: World) -> None:
    """A person keeps yesterday's 5."""
    with world.ledger.write() as session:
        approvals.drop(session, [world.feed_id], daystamp=None, now=world.clock.at)


def pin(world: World) -> None:
    """A person keeps yesterday as it is, whatever comes."""
    bounds = (NOON - 1.5 * DAY, NOON - 0.5 * DAY)
    facts = {"daystamp": YESTERDAY, "pinned": True, "bounds": bounds, "now": world.clock.at}
    with world.ledger.write() as session:
        approvals.pin(session, world.feed_id, **facts)


def unlink(world: World) -> None:
    """A person ends it, and takes it up again at once."""
    ids, now = [world.feed_id], world.clock.at
    with world.ledger.write() as session:
        pauses.halt(session, ids, state=FeedState.STOPPED, reason="unlinked", now=now)
        outbox.withdraw(session, ids)
    with world.ledger.write() as session:
        pauses.wake(session, ids, now)


def other_worker(world: World) -> None:
    """The lease ends, and another worker brings what the source says by now."""
    say(world, {EARLIER: 4.0, YESTERDAY: 4.0, TODAY: 7.0})
    world.clock.advance(LEASE_OVER)
    world.work()


def repair(world: World) -> None:
    """The lease ends, and a person has everything compared and written over."""
    world.clock.advance(LEASE_OVER)
    reconcile.examine(world.runtime(), world.feed().goal_id, repair=Repair.EDITS)


def kept_back(world: World) -> None:
    """Yesterday's 5 is there, and the source's 4 waits for a person."""
    say(world, {EARLIER: 2.0, YESTERDAY: 5.0, TODAY: 1.0})
    world.work()
    say(world, {EARLIER: 2.0, YESTERDAY: 4.0, TODAY: 2.0})
    world.clock.advance(60)
    change_feed(world, due_at=world.clock.at)
    world.work()
    assert row(world, YESTERDAY).state == "held"


def work(world: World, rt: Runtime) -> None:
    """Work until nothing is due, or the process is killed: then its leases end."""
    try:
        while sync.run(rt, Lane.BULK) or deliver.run(rt) or suspects.run(rt):
            pass
    except CrashError:
        world.clock.advance(LEASE_OVER)


@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.parametrize("act", [approve, drop, pin, unlink, other_worker, repair])
@pytest.mark.parametrize("step", ["recorded", "push.sent"])
def test_the_ledger_and_beeminder_agree_in_the_end(
    world: World, step: str, act: Callable[[World], None], *, killed: bool
) -> None:
    """What was decided holds, the callback ends, no point is doubled and none is in doubt."""
    kept_back(world)
    acts = [act]

    def trace(name: str) -> None:
        if name == step and acts:
            acts.pop()(world)
            if killed:
                raise CrashError(name)

    say(world, {EARLIER: 3.0, YESTERDAY: 4.0, TODAY: 3.0})
    event_id = world.call_back()
    work(world, world.runtime(trace=trace))
    assert not acts
    say(world, LAST)
    for _ in range(3):
        world.clock.advance(700)
        world.call_back()
        work(world, world.runtime())
        past_days.work(world)

    assert world.values() == LAST | {YESTERDAY: 4.0 if act is approve else 5.0}
    assert len(world.points()) == 3
    for known in all_rows(world, Datapoint):
        assert known.landed_value == world.values()[known.daystamp or ""]
        assert known.landed_hash is not None
    assert not world.feed().doubtful
    assert world.event(event_id).state == ("failed" if act is unlink else "done")
    report = reconcile.examine(world.runtime(), world.feed().goal_id, repair=Repair.NOTHING)
    assert report is not None
    assert report.differences == []
