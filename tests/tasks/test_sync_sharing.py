"""The due feeds of one source share reads, and a bad one among them fails alone."""

import pytest

from db.models import Feed
from db.states import FeedState
from simulators.faults import Fault
from tests.tasks.scenes import TODAY, all_rows, change_feed, link_many
from tests.world import World

READS = r"timeseries_data/(aggregate)?$"


def todays(world: World) -> list[float]:
    """Today's values on the goal `output`."""
    return sorted(point.value for point in world.points("output") if point.daystamp == TODAY)


def test_fifty_feeds_of_a_source_share_their_reads(world: World) -> None:
    """Fifty due feeds cost three data requests at most, not fifty."""
    change_feed(world, state=FeedState.PAUSED)
    expected = link_many(world, 50)

    world.work()

    assert todays(world) == sorted(expected.values())
    assert world.bemserver.faults.count(READS) <= 3
    assert world.bemserver.faults.count("auth/token") == 1


def test_one_unknown_series_fails_alone(world: World) -> None:
    """Among ten feeds one names a series that is not there: the other nine are fresh."""
    change_feed(world, state=FeedState.PAUSED)
    expected = link_many(world, 9)
    bad = world.link("output", series=4711, label="bad")
    event_id = world.call_back("output")

    world.work()

    assert todays(world) == sorted(expected.values())
    assert world.bemserver.faults.count(READS) <= 3
    assert (world.feed(bad).state, world.feed(bad).reason) == ("failing", "not_found")
    assert {feed.state for feed in all_rows(world, Feed) if feed.id in expected} == {"active"}
    assert world.event(event_id).state == "failed"


def test_what_was_read_before_a_gate_closed_is_not_read_again(world: World) -> None:
    """Two requests answer five feeds, the third is refused: these are fresh, and not asked for."""
    change_feed(world, state=FeedState.PAUSED)
    for feed_id in list(link_many(world, 10))[5:]:
        params = world.feed(feed_id).params | {"aggregation": "count"}
        change_feed(world, feed_id, params=params)
    refusal = Fault(path=READS, status=429, retry_after="120", after=2)
    world.bemserver.faults.add(refusal)

    world.work()

    assert (refusal.hits, world.bemserver.faults.count(READS)) == (1, 3)
    feeds = [feed for feed in all_rows(world, Feed) if feed.label]
    assert sorted(feed.last_synced_at is None for feed in feeds) == [False] * 5 + [True] * 5
    assert {feed.attempts for feed in feeds} == {0}

    world.clock.advance(122)
    world.work()

    assert world.bemserver.faults.count(READS) == 5
    assert len(todays(world)) == 10


def test_a_unit_that_does_not_fit_fails_alone(world: World) -> None:
    """A conversion that the server refuses concerns the feeds that ask for it."""
    change_feed(world, state=FeedState.PAUSED)
    expected = link_many(world, 5)
    bad = world.link("output", label="bad", params={"convert_to": "degC"})

    world.work()

    assert todays(world) == sorted(expected.values())
    assert world.feed(bad).state == "failing"


def test_a_refused_push_of_one_goal_leaves_the_others(world: World) -> None:
    """Beeminder takes no data for one goal: the feeds of the other goals are fresh."""
    no = {"errors": "no"}
    world.beeminder.faults.add(
        Fault(path="energy/datapoints", method="POST", status=422, body=no, times=None)
    )
    expected = link_many(world, 4)

    world.work()

    assert todays(world) == sorted(expected.values())
    assert world.feed().state == "failing"


def test_a_deleted_goal_leaves_the_others(world: World) -> None:
    """One goal is gone at Beeminder: said so for its feed alone."""
    world.beeminder.state.delete_goal("alice", "energy")
    expected = link_many(world, 4)

    world.work()

    assert todays(world) == sorted(expected.values())
    assert world.feed().reason == "goal_not_found"


@pytest.mark.parametrize("status", [403, 409, 418])
def test_odd_facts_of_one_goal_leave_the_others(world: World, status: int) -> None:
    """Beeminder refuses the page of one goal in a way of its own: the others go on."""
    expected = link_many(world, 1)
    world.beeminder.faults.add(
        Fault(path=r"goals/energy\.json", status=status, body={"error": "no"}, times=None)
    )

    world.work()

    assert todays(world) == sorted(expected.values())
    assert world.feed().state == "failing"
