"""Points that wait although their feed's own time has not come."""

import pytest

from db import feeds
from db.models_points import Datapoint
from db.states import FeedState
from simulators.faults import Fault
from tasks import deliver
from tests.tasks.scenes import TODAY, YESTERDAY, all_rows, change_feed
from tests.world import World


def wait(world: World, *, value: float = 9.0) -> None:
    """A point is approved: pending and due, the feed is not."""
    world.work()
    with world.ledger.write() as session:
        row = session.get_one(Datapoint, all_rows(world, Datapoint)[0].id)
        row.value, row.content_hash, row.state = value, "other", "pending"
        row.due_at = world.clock.at
        session.add(row)


@pytest.mark.parametrize("state", [FeedState.ACTIVE, FeedState.FAILING])
def test_an_approved_point_is_sent_without_a_sync(world: World, state: FeedState) -> None:
    """The source is not asked, state and schedule of the feed stay as they are."""
    wait(world)
    change_feed(world, state=state)
    due_at, asked = world.feed().due_at, world.bemserver.faults.count()

    assert deliver.run(world.runtime())

    assert not deliver.run(world.runtime())
    assert 9.0 in world.values().values()
    assert (world.feed().state, world.feed().due_at) == (state, due_at)
    assert world.bemserver.faults.count() == asked


@pytest.mark.parametrize("state", [FeedState.PAUSED, FeedState.STOPPED])
def test_a_feed_that_a_person_stopped_sends_nothing(world: World, state: FeedState) -> None:
    """Paused, unlinked or de-authorized: not even what waits."""
    wait(world)
    change_feed(world, state=state)

    assert not deliver.run(world.runtime())
    assert world.values() == {TODAY: 2.5, YESTERDAY: 7.0}


@pytest.mark.parametrize("status", [429, 500, 404, 401])
def test_a_refused_point_is_not_sent_in_circles(world: World, status: int) -> None:
    """Whatever Beeminder says: it is tried again in time, not at once."""
    wait(world)
    world.beeminder.faults.add(
        Fault(method="POST", path="datapoints", status=status, body={"errors": "no"}, times=None)
    )
    before = world.beeminder.faults.count("datapoints", "POST")

    world.work()

    assert world.beeminder.faults.count("datapoints", "POST") <= before + 2
    assert all_rows(world, Datapoint)[0].due_at > world.clock.at


def test_a_worker_that_stops_hands_back_what_it_delivers(world: World) -> None:
    """No error for a log to show: the next worker sends it."""
    wait(world)
    rt = world.runtime()
    rt.trace = lambda step: rt.stopping.set() if step == "push.begun" else None

    assert deliver.run(rt)

    assert 9.0 not in world.values().values()
    with world.ledger.write() as session:
        feeds.hand_back(session, owner=rt.owner)
    assert deliver.run(world.runtime())
    assert 9.0 in world.values().values()
