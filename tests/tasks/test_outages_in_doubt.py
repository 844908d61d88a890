"""What looks like an outage and is none, and an outage that does not look like one."""

import pytest
from sqlmodel import select

from db.models import Feed
from db.models_limits import Breaker
from db.states import FeedState, Lane
from tasks import sync
from tasks.runtime import Runtime
from tests.tasks.away import faults_of, go, told
from tests.tasks.scenes import TODAY, all_rows, change_feed, link_many
from tests.world import NOON, World


@pytest.fixture
def rt(world: World) -> Runtime:
    """One worker."""
    return world.runtime()


def link(world: World) -> Breaker | None:
    """How the link to Beeminder stands; None: all is well."""
    return next((row for row in all_rows(world, Breaker) if row.subject == "user:1"), None)


def blip(world: World, rt: Runtime, value: float) -> None:
    """For a moment no push is answered, and all feeds have something to push in it."""
    with world.ledger.write() as session:
        for feed in session.exec(select(Feed).where(Feed.state == FeedState.ACTIVE)):
            world.measure(feed.params["timeseries"], {NOON - 3600: value + (feed.id or 0)})
            feed.due_at = world.clock.at
            session.add(feed)
    go(world, "link", path="datapoints", method="POST", action="status", status=500)
    assert sync.run(rt, Lane.BULK)
    faults_of(world, "link").clear()


def test_two_moments_are_no_outage(world: World, rt: Runtime) -> None:
    """Twelve feeds fail at one moment, and ten minutes of answers later at another: no news."""
    for feed_id in link_many(world, 12):
        change_feed(world, feed_id, since=TODAY, every=7200.0)
    change_feed(world, since=TODAY)
    world.work(rt)
    blip(world, rt, 50.0)
    row = link(world)
    assert row is not None
    assert (row.good, row.bad) == (0.0, 1.0)
    for _ in range(6):
        world.clock.advance(100)
        event_id = world.call_back()
        world.work(rt)
        assert world.event(event_id).state == "done"

    blip(world, rt, 90.0)

    assert told(world) == []
    row = link(world)
    assert row is not None
    assert row.bad == 1.0


def test_the_last_answer_counts_for_the_work(world: World, rt: Runtime) -> None:
    """One goal's push fails and another's is answered: Beeminder is there."""
    change_feed(world, since=TODAY)
    world.link("output", series=world.series, since=TODAY)
    go(world, "link", path="energy/datapoints", method="POST", action="status", status=500, times=1)

    assert sync.run(rt, Lane.BULK)

    assert sorted(feed.attempts for feed in all_rows(world, Feed)) == [0, 1]
    assert link(world) is None
