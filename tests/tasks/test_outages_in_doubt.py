"""What looks like an outage and is none, and an outage that does not look like one."""

import pytest
from sqlmodel import select

from db.models import Feed
from db.models_limits import Breaker
from db.states import FeedState, Lane
from tasks import sync
from tasks.runtime import Runtime
from tests.tasks.away import BOTH_SIDES, HOUR, drive, faults_of, go, told
from tests.tasks.scenes import TODAY, all_rows, change_feed, link_many
from tests.world import DAY, NOON, World


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


@BOTH_SIDES
def test_an_outage_is_told_where_retries_are_seldom(world: World, rt: Runtime, side: str) -> None:
    """The feed has failed for a day already, so it is tried every quarter of an hour at most."""
    now = world.clock.at
    change_feed(world, every=DAY, attempts=20, failing_since=now - DAY)
    go(world, side)

    drive(world, rt, 2 * HOUR)

    subject = {"source": "source:1", "link": "user:1"}[side]
    assert told(world) == [("breaker", subject)]


def test_an_outage_is_told_after_a_restart_in_it(world: World, rt: Runtime) -> None:
    """Waggle was off for half an hour of it: what failed before is old, the breaker is not."""
    world.clock.advance(1)
    go(world)
    drive(world, rt, 180)
    world.clock.advance(1800)

    drive(world, rt, 1980 + 2 * HOUR)

    assert told(world) == [("breaker", "source:1")]


def only_pushes_fail(world: World) -> int:
    """Beeminder takes no points any more; of two feeds one has points, the other has none."""
    change_feed(world, since=TODAY)
    other = world.link("output", series=world.other_series, since=TODAY, every=HOUR)
    world.clock.advance(1)
    go(world, "link", method="POST", path="datapoints")
    return other


def test_reads_do_not_end_an_outage_of_pushes(world: World, rt: Runtime) -> None:
    """The other feed is read and answered all the time: told once, and no end of it is told."""
    only_pushes_fail(world)

    drive(world, rt, 6 * HOUR)

    assert told(world, everything=True) == [("breaker", "user:1")]
    assert world.values() == {}


def test_a_read_has_what_waits_probe_next(world: World, rt: Runtime) -> None:
    """The first to notice that Beeminder is back has no points: those that wait follow at once."""
    other = only_pushes_fail(world)
    drive(world, rt, 2 * HOUR)
    faults_of(world, "link").clear()
    now = world.clock.at
    change_feed(world, due_at=now + 900)
    with world.ledger.write() as session:
        session.get_one(Breaker, "user:1").probe_at = now
        session.get_one(Feed, other).due_at = now

    assert sync.run(rt, Lane.BULK)
    assert world.feed(other).last_synced_at == now
    assert told(world) == [("breaker", "user:1")]
    world.work(rt)

    assert world.values() == {TODAY: 2.5}
    assert told(world) == [("recovered", "user:1")]


def test_reads_end_it_where_nothing_waits_to_be_pushed(world: World, rt: Runtime) -> None:
    """The feed whose pushes failed was paused: nobody waits for an answer to a push."""
    other = only_pushes_fail(world)
    drive(world, rt, HOUR)
    change_feed(world, state=FeedState.PAUSED)
    change_feed(world, other, due_at=world.clock.at)

    drive(world, rt, 1.5 * HOUR)

    assert told(world) == [("recovered", "user:1")]
