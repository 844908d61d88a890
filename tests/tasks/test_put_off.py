"""Waiting for a limit is free, but not for ever: past its ceiling it counts, and is told once."""

import pytest

from clients.errors import NotFound
from db import needs, notices
from db.models import Feed, Notice
from db.models_limits import Quota
from db.models_points import Datapoint
from db.states import FeedState
from simulators.faults import Fault
from tasks import housekeeping, long_waits, policy, put_off
from tests.tasks.scenes import TODAY, all_rows, change_feed
from tests.world import World

LONG = 2 * policy.HOUR


def told(world: World) -> list[str]:
    """Whom and what alice is told about limits that never suffice."""
    with world.reading() as session:
        found = needs.of(session, world.clock.at)
    return [need.subject for need in found if need.kind == put_off.KIND]


def limit(world: World, seconds: int) -> None:
    """The source refuses everything, and says when to come back."""
    world.bemserver.faults.add(
        Fault(path="timeseries", status=429, retry_after=f"{seconds}", times=None)
    )


def wait(world: World, seconds: float) -> None:
    """Work whenever a feed comes due or a gate opens, for so long."""
    until = world.clock.at + seconds
    while world.clock.at < until:
        world.work()
        instants = [feed.due_at for feed in all_rows(world, Feed)]
        # A feed that is due behind a closed gate is passed over until that opens.
        instants += [gate.closed_until for gate in all_rows(world, Quota)]
        world.clock.at = min((at for at in instants if at > world.clock.at), default=until)


def weary(world: World, feed_id: int | None = None) -> None:
    """The feed has been put off for long, and is due."""
    since = world.clock.at - LONG
    change_feed(world, feed_id, deferrals=50, deferred_since=since, due_at=world.clock.at)


def test_a_source_that_is_always_full_is_told_after_an_hour(world: World) -> None:
    """Free at first; then each refusal is an attempt with the reason, and its owner hears once."""
    limit(world, 300)
    event_id = world.call_back()
    wait(world, policy.HOUR - 600)
    feed = world.feed()
    assert (feed.attempts, feed.failing_since, feed.last_error) == (0, None, None)
    assert feed.deferrals >= policy.SYNC.deferrals - 2
    assert told(world) == []

    wait(world, policy.HOUR)

    feed, event = world.feed(), world.event(event_id)
    assert feed.state == "active"
    assert feed.attempts >= 5
    assert feed.deferrals >= feed.attempts + policy.SYNC.deferrals
    assert "a limit has put it off" in (feed.last_error or "")
    assert (event.state, (event.error or {})["code"]) == ("working", "limited_for_long")
    assert event.attempts == feed.attempts
    assert told(world) == ["source plant of alice"]


def test_past_the_ceiling_nobody_knocks_early_either(world: World) -> None:
    """A callback in the middle of a wait that costs an attempt makes it no shorter."""
    limit(world, 600)
    weary(world)
    world.work()
    asked = world.bemserver.faults.count()
    assert world.feed().attempts == 1

    for _ in range(5):
        world.clock.advance(100)
        world.call_back()
        world.work()

    assert world.bemserver.faults.count() == asked


def test_long_closings_are_no_failed_tries(world: World) -> None:
    """A vendor that says when it is back is waited for: three hours cost nothing."""
    limit(world, 3600)
    wait(world, 3 * policy.HOUR)
    assert (world.feed().attempts, told(world)) == (0, [])


def test_many_feeds_of_a_source_are_told_of_once(world: World) -> None:
    """It is about the account, not about each of them."""
    others = [world.link("output", label=f"l{number}") for number in range(3)]
    limit(world, 60)
    for feed_id in (None, *others):
        weary(world, feed_id)
    wait(world, 600)
    assert sum(feed.attempts > 0 for feed in all_rows(world, Feed)) == 4
    assert told(world) == ["source plant of alice"]


def test_the_last_one_that_goes_well_takes_it_back(world: World) -> None:
    """While another feed is put off the account is too small still; the counts begin anew."""
    other = world.link("output", series=world.other_series)
    limit(world, 60)
    weary(world)
    weary(world, other)
    world.work()
    world.bemserver.faults.clear()
    change_feed(world, other, due_at=world.clock.at + 600)
    wait(world, 300)
    assert world.values()[TODAY] == 2.5
    feed = world.feed()
    assert (feed.attempts, feed.deferrals, feed.deferred_since) == (0, 0, None)
    assert told(world)

    change_feed(world, other, due_at=world.clock.at)
    world.work()

    assert told(world) == []


@pytest.mark.parametrize("state", [FeedState.PAUSED, FeedState.STOPPED])
def test_a_feed_that_is_stopped_waits_for_nothing(world: World, state: FeedState) -> None:
    """The hourly round takes back what nobody waits for any more."""
    limit(world, 60)
    weary(world)
    world.work()
    housekeeping.run(world.runtime())
    assert told(world)
    change_feed(world, state=state)
    housekeeping.run(world.runtime())
    assert told(world) == []


def test_beeminders_limit_is_the_persons(world: World) -> None:
    """Where Beeminder puts feeds off it is no matter of a source."""
    world.beeminder.faults.add(
        Fault(method="POST", path="datapoints", status=429, retry_after="60", times=None)
    )
    weary(world)
    world.work()
    assert told(world) == ["alice"]
    waiting = all_rows(world, Datapoint)
    assert {row.state for row in waiting} == {"pending"}
    assert all("a limit has put it off" in (row.error or "") for row in waiting)
    world.beeminder.faults.clear()
    wait(world, 120)
    assert told(world) == []


def test_who_knows_that_a_gate_is_closed_for_hours_is_not_told_twice(world: World) -> None:
    """The vendor's own word says more: until when."""
    with world.ledger.write() as session:
        notices.raise_(
            session,
            user_id=world.user_id,
            subject=f"source:{world.source_id}",
            kind=long_waits.KIND,
            message="m",
            now=world.clock.at,
        )
    limit(world, 60)
    weary(world)
    world.work()
    assert world.feed().attempts == 1
    assert {row.kind for row in all_rows(world, Notice)} == {long_waits.KIND}


def test_a_feed_that_stops_for_another_reason_is_not_called_limited(world: World) -> None:
    """Its series is gone: that is what its owner reads, and the counts begin anew."""
    weary(world)
    change_feed(world, params={"timeseries": 999})
    world.work()
    feed = world.feed()
    assert (feed.state, feed.reason) == (FeedState.FAILING, NotFound.default_reason)
    assert (feed.deferrals, feed.deferred_since, told(world)) == (0, None, [])
