"""Past days, chunk by chunk: every point once and right, and a callback in between."""

import pytest

from db import backfills
from db.models import Goal
from db.models_points import Day
from db.states import Lane
from tasks import backfill, backfill_chunk, sync
from tasks.providers import Metric
from tests.tasks import differences
from tests.tasks.past_days import FIRST, ask, created, day, history, row, work
from tests.tasks.scenes import TODAY, YESTERDAY, all_rows, at_once, change_feed
from tests.world import DAY, NOON, World


@pytest.fixture
def synced(world: World) -> World:
    """A world whose feed has had its own sync, and is not due."""
    history(world, 60)
    world.work()
    return world


def test_four_hundred_days_come_in_chunks_and_each_once(world: World) -> None:
    """Thirteen chunks, every value at Beeminder, and the schedule of the feed untouched."""
    values = history(world, 400)
    world.work()
    before = world.feed()
    made = ask(world, first=day(399))

    assert work(world) == 13

    assert world.values() == values
    assert created(world) == [1] * 400
    found = row(world, made)
    assert (found.state, found.written, found.held) == ("done", 397, 0)
    after = world.feed()
    assert (after.due_at, after.lane, after.last_synced_at) == (
        before.due_at,
        before.lane,
        before.last_synced_at,
    )
    assert after.lease_owner is None


def test_a_callback_in_the_middle_is_served_between_two_chunks(synced: World) -> None:
    """It is answered with the data of today before the next chunk is begun, and at once."""
    ask(synced)
    rt, asked = synced.runtime(), []

    def trace(step: str) -> None:
        if step == "backfill.fetched" and not asked:
            synced.measure(synced.series, {NOON - 60: 9.0, NOON - 60 - 40 * DAY: 1.0})
            asked.append(synced.call_back())

    rt.trace = trace
    assert backfill.run(rt)
    assert not backfill.run(rt)
    assert len(synced.values()) < 51  # the second chunk waits
    assert sync.run(rt, Lane.URGENT)
    assert synced.event(asked[0]).state == "done"
    assert synced.values()[TODAY] == 9.0
    assert backfill.run(rt)


def test_a_callback_that_comes_while_the_feed_is_held_is_rung_for(synced: World) -> None:
    """It was opened while a chunk held the feed: the end of the chunk rings, no sweep is needed."""
    ask(synced)
    other, asked = synced.runtime(), []

    def trace(step: str) -> None:
        if step == "backfill.recorded" and not asked:
            asked.append(synced.call_back())
            assert not sync.run(other, Lane.URGENT)  # its bell finds the feed taken

    synced.rung.clear()
    assert backfill.run(synced.runtime(trace=trace))
    assert synced.rung == [("sync", "urgent")]
    assert sync.run(other, Lane.URGENT)
    assert (synced.event(asked[0]).state, synced.event(asked[0]).attempts) == ("done", 1)


def test_corrected_values_update_the_same_points(synced: World) -> None:
    """A day that is better now has one point, with the id it had."""
    ask(synced)
    work(synced)
    before = {point.daystamp: point.id for point in synced.points()}
    values = {NOON - 60 - ago * DAY: 3.0 + ago for ago in range(60)}
    synced.measure(synced.series, values | {NOON - 60 - 20 * DAY: 100.0})

    made = ask(synced)
    work(synced)

    assert synced.values()[day(20)] == 100.0
    assert {point.daystamp: point.id for point in synced.points()} == before
    assert row(synced, made).written == 1


def test_corrections_are_held_and_counted(synced: World) -> None:
    """A day that got worse, and more than three that changed, are kept back as in any sync."""
    ask(synced)
    work(synced)
    values = {NOON - 60 - ago * DAY: 3.0 + ago for ago in range(60)}
    worse = {NOON - 60 - 45 * DAY: 1.0}  # in the first chunk
    many = {NOON - 60 - ago * DAY: 200.0 for ago in range(5, 10)}  # in the second
    before = synced.values()
    synced.measure(synced.series, values | worse | many)

    made = ask(synced)
    work(synced)

    assert synced.values() == before
    found = row(synced, made)
    assert (found.state, found.written, found.held) == ("done", 0, 6)


def test_what_a_person_deleted_stays_deleted(synced: World) -> None:
    """A point of a finished day that is gone is not written again by a backfill."""
    ask(synced)
    work(synced)
    differences.delete(synced, day(20))
    values = {NOON - 60 - ago * DAY: 3.0 + ago for ago in range(60)}
    synced.measure(synced.series, values | {NOON - 60 - 20 * DAY: 100.0})

    ask(synced)
    work(synced)

    assert day(20) not in synced.values()


def test_since_is_never_crossed(synced: World) -> None:
    """Also when it was moved after the backfill was asked for."""
    made = ask(synced)
    change_feed(synced, since=day(30))
    work(synced)
    found = row(synced, made)
    assert found.state == "failed"
    assert "earlier days are never touched" in (found.error or "")
    assert min(synced.values()) >= day(30)


def test_days_are_refused_that_can_not_be_read_again(world: World) -> None:
    """No history at the source, a day before `since`, a running total that began later."""
    feed = world.feed()
    metric = world.runtime().providers["bemserver"].metrics["timeseries_aggregate"]
    assert backfill.objection(metric, feed, FIRST) is None
    feed.since = "20261101"
    assert backfill.objection(metric, feed, "20261101") is None
    assert backfill.objection(metric, feed, "20261031") == (
        "since is 2026-11-01: earlier days are never touched; start there, or change `since` in "
        "the file"
    )
    feed.since = None
    feed.cursor = {"shape": "running_total", "running_from": "20261101"}
    assert backfill.objection(metric, feed, "20261101") is None
    assert "starts on 2026-11-01" in (backfill.objection(metric, feed, "20261031") or "")
    now_only = Metric(
        name="open_carts", description="x", params=metric.params, kind="level", history=False
    )
    assert "only be read as it is now" in (backfill.objection(now_only, feed, FIRST) or "")


def test_a_running_total_is_carried_on_to_today(world: World) -> None:
    """What an earlier day adds is in every later total, also past the last day asked for."""
    world.beeminder.state.change_goal("alice", "energy", kyoom=False, aggday="last")
    with world.ledger.write() as session:
        goal = session.get_one(Goal, world.feed().goal_id)
        goal.facts_at = None
        session.add(goal)
    history(world, 5, value=1.0)
    change_feed(world, since=day(2), options={"corrections": "always"})
    world.work()
    assert world.values() == {day(2): 3.0, YESTERDAY: 5.0, TODAY: 6.0}
    world.measure(world.series, {NOON - 60 - ago * DAY: 10.0 for ago in range(5)})

    made = ask(world, first=day(2), last=day(2))
    work(world)

    assert world.values() == {day(2): 10.0, YESTERDAY: 20.0, TODAY: 30.0}
    assert row(world, made).last_day == TODAY


def test_a_cancelled_backfill_ends_after_its_chunk(synced: World) -> None:
    """What was sent stays; no further chunk is begun."""
    made = ask(synced)
    rt = synced.runtime()
    assert backfill.run(rt)
    with synced.ledger.write() as session:
        backfills.cancel(session, [synced.feed_id], synced.clock.at)
    assert not backfill.run(rt)
    assert row(synced, made).state == "cancelled"


def test_chunks_cover_every_day_once() -> None:
    """No gap, no overlap, none longer than a month."""
    found = list(backfill_chunk.chunks("20260115", "20260320"))
    assert found == [("20260115", "20260214"), ("20260215", "20260317"), ("20260318", "20260320")]
    assert list(backfill_chunk.chunks("20260115", "20260115")) == [("20260115", "20260115")]


def test_who_asks_for_more_while_the_last_chunk_ends_loses_nothing(synced: World) -> None:
    """However the two transactions lie: every day that somebody asked for has been read."""
    change_feed(synced, every=1e9)
    ask(synced, first=day(40), last=day(40))

    def act(number: int) -> None:
        if number:
            for ago in range(39, 9, -1):
                ask(synced, first=day(40), last=day(ago))
        else:
            for _ in range(10):
                backfill.run(synced.runtime())

    at_once(2, act)
    work(synced)

    with synced.reading() as session:
        assert backfills.open_for(session) == []
    read = {found.daystamp for found in all_rows(synced, Day)}
    assert {day(ago) for ago in range(10, 41)} <= read
