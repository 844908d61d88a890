"""Goals that take no data for a while: their feeds rest, lose nothing, and wake with them."""

from typing import Any

import pytest
from sqlmodel import Session

from db import claiming, claiming_outbox, deaths, feeds, notices, pauses
from db.models import Notice
from db.models_points import Datapoint
from db.states import FeedState, Lane
from simulators.faults import Fault
from tasks import sweep
from tests.tasks.scenes import TODAY, YESTERDAY, all_rows, change_feed, die
from tests.world import World, crash_at

RESTS = {
    "goal_frozen": {"frozen": True},
    "goal_archived": {"archived": True},
    "goal_finished": {"won": True, "frozen": True},
}
AWAKE = {"frozen": False, "archived": False, "won": False}
CAUSES = pytest.mark.parametrize("reason", RESTS)


def change_goal(world: World, **fields: Any) -> None:
    """Change the goal at Beeminder, as its owner would."""
    world.beeminder.state.change_goal("alice", "energy", **fields)


def opened_notices(world: World) -> list[tuple[str, str]]:
    """(kind, key) of what alice is told now."""
    with world.reading() as session:
        return [(notice.kind, notice.key) for notice in notices.open_for(session)]


@CAUSES
def test_a_resting_goal_pauses_its_feed_with_the_reason(world: World, reason: str) -> None:
    """The callback ends with the reason and what to do; nothing is sent, the source not asked."""
    change_goal(world, **RESTS[reason])
    event_id = world.call_back()

    world.work()

    event, feed = world.event(event_id), world.feed()
    assert (event.state, event.error and event.error["code"]) == ("failed", reason)
    assert "by itself" in str(event.error)
    assert (feed.state, feed.reason, feed.attempts) == ("paused", reason, 0)
    assert feed.last_error == (event.error or {})["message"]
    assert world.beeminder.faults.count(method="POST") == world.bemserver.faults.count() == 0
    assert opened_notices(world) == [("resting", reason)]


@CAUSES
@pytest.mark.parametrize("who", ["callback", "schedule"])
def test_a_feed_wakes_with_its_goal(world: World, reason: str, who: str) -> None:
    """Back at Beeminder: the same sync that finds out goes on, and all days follow."""
    change_goal(world, **RESTS[reason])
    world.work()
    change_goal(world, **AWAKE)
    if who == "callback":
        world.clock.advance(5)  # however fresh the facts are
        event_id = world.call_back()
        world.work()
        assert world.event(event_id).state == "done"
    else:
        world.clock.advance(3600)
        world.work()

    feed = world.feed()
    assert (feed.state, feed.reason, feed.last_error) == ("active", None, None)
    assert world.values() == {TODAY: 2.5, YESTERDAY: 7.0}
    assert opened_notices(world) == []


def test_a_resting_goal_is_looked_at_once_an_hour(world: World) -> None:
    """Nobody calls: two small requests an hour, a notice that is raised once, no event."""
    change_goal(world, frozen=True)
    world.work()
    before = world.beeminder.faults.count()

    for _ in range(24 * 4):
        world.clock.advance(900)
        world.work()

    looks = [request.path for request in world.beeminder.faults.requests[before:]]
    assert 20 <= sum(path.endswith("goals/energy.json") for path in looks) <= 25
    assert len(looks) <= 50
    assert len(all_rows(world, Notice)) == 1
    assert world.bemserver.faults.count() == 0


def test_a_feed_that_is_synced_seldom_rests_as_long(world: World) -> None:
    """Its own schedule is slower than once an hour: it is kept."""
    change_feed(world, every=86400.0)
    change_goal(world, frozen=True)

    world.work()

    assert 0.95 * 86400 <= world.feed().due_at - world.clock.at <= 86400


def test_another_reason_is_told_anew(world: World) -> None:
    """Frozen first, then put away: one notice is open, and it says the latter."""
    change_goal(world, frozen=True)
    world.work()
    change_goal(world, archived=True)
    world.clock.advance(3600)

    world.work()

    assert world.feed().reason == "goal_archived"
    assert opened_notices(world) == [("resting", "goal_archived")]


def test_a_goal_that_was_lost_and_restarts_is_never_dropped(world: World) -> None:
    """Derailed, frozen for two days, restarted: what was pending lands, and so do those days."""
    world.work()
    world.clock.advance(60)
    world.measure(world.series, {world.clock.at - 30: 1.0})
    world.beeminder.faults.add(Fault(path="datapoints", method="POST", status=500, times=None))
    first = world.call_back()
    world.work()  # a point is pending when the goal derails
    assert [row.state for row in all_rows(world, Datapoint)].count("pending") == 1
    world.beeminder.faults.clear()
    change_goal(world, lost=True, frozen=True)
    for hour in range(1, 49):
        world.clock.advance(3600)
        world.measure(world.series, {world.clock.at - 60: 0.25})
        if hour % 12 == 0:
            world.call_back()
        world.work()
    assert world.event(first).state == "failed"
    assert (world.feed().state, world.feed().reason) == ("paused", "goal_frozen")
    assert [row.state for row in all_rows(world, Datapoint)].count("pending") == 1

    change_goal(world, frozen=False)  # lost says still that it was
    last = world.call_back()
    world.work()

    assert world.event(last).state == "done"
    assert world.values()[TODAY] == 2.5 + 1.0 + 11 * 0.25
    assert world.values()["20261121"] == 24 * 0.25
    assert world.values()["20261122"] == 13 * 0.25
    assert {row.state for row in all_rows(world, Datapoint)} == {"landed"}


def test_a_goal_that_was_lost_and_is_not_frozen_goes_on(world: World) -> None:
    """Beeminder restarts it by itself: nothing of it pauses."""
    change_goal(world, lost=True)
    event_id = world.call_back()

    world.work()

    assert world.event(event_id).state == "done"
    assert world.feed().state == "active"


def test_what_rests_is_not_pushed_by_the_outbox(world: World) -> None:
    """A point that has come due waits for the goal, not for a refusal."""
    world.beeminder.faults.add(Fault(path="datapoints", method="POST", status=500, times=None))
    world.work()
    world.beeminder.faults.clear()
    change_goal(world, frozen=True)
    world.clock.advance(100)
    world.work()
    pushes = world.beeminder.faults.count("datapoints", "POST")
    world.clock.advance(1000)

    world.work()

    assert world.beeminder.faults.count("datapoints", "POST") == pushes
    with world.reading() as session:
        assert not claiming_outbox.any_due(session, world.clock.at)


@CAUSES
def test_a_goal_that_rests_since_it_was_looked_at(world: World, reason: str) -> None:
    """The push is refused: the goal is read again at once, and the first callback is told why."""

    def stop(step: str) -> None:
        if step == "recorded":
            change_goal(world, **RESTS[reason])

    first = world.call_back()
    world.work(world.runtime(trace=stop))
    assert (world.event(first).error or {})["code"] == reason
    assert (world.feed().state, world.feed().reason) == ("paused", reason)
    assert opened_notices(world) == [("resting", reason)]
    change_goal(world, **AWAKE)
    second = world.call_back()
    world.work()
    assert world.values() == {TODAY: 2.5, YESTERDAY: 7.0}
    assert world.event(second).state == "done"


def test_a_refusal_whose_reason_is_not_found_is_told_as_it_is(world: World) -> None:
    """Beeminder refuses, and is away when the goal is read again: failing, with the refusal."""

    def freeze(step: str) -> None:
        if step == "recorded":
            change_goal(world, frozen=True)
            world.beeminder.faults.add(Fault(method="GET", path="energy.json", status=500))

    told = []
    for rt in (world.runtime(trace=freeze), None):
        event_id = world.call_back()
        world.work(rt)
        told.append((world.event(event_id).error or {})["code"])
    assert told == ["rejected", "goal_frozen"]


def test_a_persons_pause_counts_for_more(world: World) -> None:
    """Paused by a person while it rests: callbacks end as no such feed, its goal wakes nothing."""
    change_goal(world, frozen=True)
    world.work()
    with world.ledger.write() as session:
        _pause(session, world)
    change_goal(world, frozen=False)
    event_id = world.call_back()
    world.clock.advance(7200)

    world.work()

    assert (world.event(event_id).error or {})["code"] == "no_such_feed"
    assert (world.feed().state, world.feed().reason) == ("paused", "paused by a person")
    assert opened_notices(world) == []
    with world.ledger.write() as session:
        pauses.wake(session, [world.feed_id], world.clock.at)
    world.work()
    assert world.feed().state == "active"
    assert world.values()[TODAY] == 2.5


def _pause(session: Session, world: World) -> None:
    pauses.halt(
        session,
        [world.feed_id],
        state=FeedState.PAUSED,
        reason="paused by a person",
        now=world.clock.at,
    )


def test_a_feed_resumed_by_a_person_rests_again(world: World) -> None:
    """`resume` makes it active; the goal is still frozen, so it rests, and says so once."""
    change_goal(world, frozen=True)
    world.work()
    with world.ledger.write() as session:
        pauses.wake(session, [world.feed_id], world.clock.at)

    world.work()

    assert (world.feed().state, world.feed().reason) == ("paused", "goal_frozen")
    assert len(all_rows(world, Notice)) == 1


@pytest.mark.parametrize("step", ["claimed", "fetched", "recorded", "push.begun", "push.sent"])
def test_a_killed_wake_loses_nothing(world: World, step: str) -> None:
    """The process that finds the goal awake is killed anywhere: the next one brings the data."""
    change_goal(world, frozen=True)
    world.work()
    change_goal(world, frozen=False)
    event_id = world.call_back()
    assert die(world, world.runtime(trace=crash_at(step)))
    world.clock.advance(feeds.LEASE_SECONDS + 0.5)

    world.work()

    assert world.event(event_id).state == "done"
    assert world.values() == {TODAY: 2.5, YESTERDAY: 7.0}
    assert opened_notices(world) == []


def test_the_sweep_rings_for_a_feed_that_rests(world: World) -> None:
    """Due like any other: without a bell nobody would find out that the goal is back."""
    change_goal(world, frozen=True)
    world.work()
    assert sweep.run(world.runtime()) == {}
    world.clock.advance(3600)

    assert sweep.run(world.runtime())["sync.bulk"] == 1


def test_a_fenced_rest_changes_nothing(world: World) -> None:
    """Somebody else claimed the feed meanwhile: neither state nor event are touched."""
    change_goal(world, frozen=True)
    world.call_back()

    def steal(step: str) -> None:
        if step == "claimed":
            world.clock.advance(feeds.LEASE_SECONDS + 1)
            now = world.clock.at
            with world.ledger.write() as session:
                deaths.bury(session, now)
                stolen.extend(
                    claiming.claim(session, owner="x", now=now, lane=Lane.BULK, alone=True)
                )

    stolen: list[feeds.Claim] = []
    world.work(world.runtime(trace=steal))

    feed = world.feed()
    assert (feed.state, feed.lease_owner, feed.epoch) == ("active", "x", stolen[0].epoch)
