"""Past days, chunk by chunk: each point once, whoever is killed, and a callback in between."""

import pytest

from db import backfills
from db.models import Backfill, Datapoint, Goal, Lane
from simulators.faults import Fault
from tasks import backfill, days, deliver, sync
from tasks.providers import Metric
from tasks.runtime import Runtime
from tests.tasks import differences
from tests.tasks.scenes import LEASE_OVER, TODAY, YESTERDAY, all_rows, change_feed
from tests.world import DAY, NOON, CrashError, World, crash_at

STEPS = (
    "backfill.claimed",
    "backfill.fetched",
    "backfill.recorded",
    "push.begun",
    "push.sent",
    "backfill.advanced",
)
FIRST = "20261001"  # 51 days before today: two chunks


def day(ago: int) -> str:
    """The daystamp of so many days before today."""
    return days.stamp(days.parse(TODAY) - ago * days.ONE_DAY)


def history(world: World, count: int, *, value: float = 3.0) -> dict[str, float]:
    """One sample at noon of each of the last `count` days; returns the values by daystamp."""
    there = dict.fromkeys((NOON - 3600, NOON - 1800, NOON - DAY), 0.0)  # counts no more
    samples = {NOON - 60 - ago * DAY: value + ago for ago in range(count)}
    world.measure(world.series, there | samples)
    return {day(ago): value + ago for ago in range(count)}


def ask(world: World, first: str = FIRST, last: str = TODAY, feed_id: int | None = None) -> int:
    """Ask for days; returns the id of the backfill."""
    with world.ledger.write() as session:
        made = backfills.ask(
            session, feed_id or world.feed_id, first=first, last=last, now=world.clock.at
        )
        return made.id or 0


def row(world: World, backfill_id: int) -> Backfill:
    """A backfill as it stands now."""
    with world.reading() as session:
        return session.get_one(Backfill, backfill_id)


def work(world: World, rt: Runtime | None = None) -> int:
    """Do all chunks that are due; returns how many."""
    rt, count = rt or world.runtime(), 0
    while backfill.run(rt):
        count += 1
    return count


def die(rt: Runtime) -> bool:
    """Do chunks until the process is killed; False when nothing killed it."""
    try:
        while backfill.run(rt):
            pass
    except CrashError:
        return True
    return False


def created(world: World) -> list[int]:
    """How often each of our points was made at Beeminder."""
    counts = world.beeminder.state.write_counts("alice", "energy")
    assert all("deleted" not in found for found in counts.values())
    return [found["created"] for found in counts.values()]


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


@pytest.mark.parametrize("step", STEPS)
def test_a_killed_worker_is_taken_over(synced: World, step: str) -> None:
    """Killed at any step, three times over: each day is there once, and the backfill ends."""
    made = ask(synced)
    for _ in range(3):
        die(synced.runtime(trace=crash_at(step)))
        synced.clock.advance(LEASE_OVER)

    work(synced)

    assert row(synced, made).state == "done"
    assert len(synced.values()) == 51
    assert created(synced) == [1] * 51
    assert {point.state for point in all_rows(synced, Datapoint)} == {"landed"}


def test_a_killed_chunk_waits_for_the_end_of_its_lease(synced: World) -> None:
    """Nobody works on a feed whose holder may still be alive."""
    ask(synced)
    assert die(synced.runtime(trace=crash_at("backfill.fetched")))
    assert work(synced) == 0


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


def test_a_source_that_is_down_costs_an_attempt_and_is_asked_again(synced: World) -> None:
    """Transient: put back with a pause, the reason said, and then it goes on."""
    made = ask(synced)
    synced.bemserver.faults.add(Fault(path="timeseries_data", status=503, times=1))
    work(synced)
    found = row(synced, made)
    assert (found.state, found.attempts, found.next_day) == ("working", 1, FIRST)
    assert (found.error or "").startswith("source plant: ")
    assert found.due_at > synced.clock.at
    synced.clock.at = found.due_at
    work(synced)
    assert (row(synced, made).state, row(synced, made).error) == ("done", None)


def test_a_limit_costs_no_attempt(synced: World) -> None:
    """Beeminder names a time: nothing is asked before it, and nothing counted."""
    made = ask(synced)
    synced.beeminder.faults.add(
        Fault(method="POST", path="datapoints", status=429, retry_after="120")
    )
    work(synced)
    found = row(synced, made)
    assert (found.state, found.attempts) == ("working", 0)
    assert found.due_at >= synced.clock.at + 120
    asked = synced.beeminder.faults.count()
    synced.clock.advance(60)
    assert work(synced) == 0
    assert synced.beeminder.faults.count() == asked
    synced.clock.at = found.due_at
    synced.work()  # whoever comes first pushes what waits
    work(synced)
    assert row(synced, made).state == "done"
    assert created(synced) == [1] * 51


def test_a_goal_that_is_gone_ends_it_with_the_reason(synced: World) -> None:
    """A person has to do something: failed, the lease free, the feed's own state its own affair."""
    made = ask(synced)
    synced.beeminder.state.delete_goal("alice", "energy")
    synced.clock.advance(700)  # the facts are old
    change_feed(synced, due_at=synced.clock.at + DAY)
    work(synced)
    found = row(synced, made)
    assert (found.state, found.finished_at) == ("failed", synced.clock.at)
    assert "there is no goal 'energy' any more" in (found.error or "")
    assert (synced.feed().state, synced.feed().lease_owner) == ("active", None)


def test_an_answer_of_the_wrong_shape_is_an_accident_at_first(synced: World) -> None:
    """Three times in a row it is not: then it has failed."""
    made = ask(synced)
    synced.bemserver.faults.add(Fault(action="invalid_json", path="/timeseries_data", times=None))
    for _ in range(3):
        work(synced)
        assert row(synced, made).state == "working"
        synced.clock.at = max(synced.clock.at, row(synced, made).due_at)
    change_feed(synced, due_at=synced.clock.at + DAY)
    work(synced)
    assert row(synced, made).state == "failed"


def test_stopping_hands_back_between_two_steps(synced: World) -> None:
    """A worker that goes down leaves the chunk as it is; the next one does it again."""
    made = ask(synced)
    rt = synced.runtime()
    rt.trace = lambda step: rt.stopping.set() if step == "backfill.recorded" else None
    pushes = synced.beeminder.faults.count(method="POST", path="datapoints")
    assert backfill.run(rt)
    assert synced.beeminder.faults.count(method="POST", path="datapoints") == pushes
    assert (row(synced, made).state, row(synced, made).next_day) == ("working", FIRST)
    synced.clock.advance(LEASE_OVER)
    assert not backfill.run(rt)
    work(synced)
    assert row(synced, made).state == "done"


def test_a_worker_that_slept_moves_nothing(synced: World) -> None:
    """Its lease was over and somebody has done the chunk: what it sent is looked at again."""
    made = ask(synced)

    def trace(step: str) -> None:
        if step == "push.sent" and not slept:
            slept.append(step)
            synced.clock.advance(LEASE_OVER)
            work(synced)

    slept: list[str] = []
    assert backfill.run(synced.runtime(trace=trace))
    assert row(synced, made).state == "done"
    assert synced.feed().doubtful
    assert synced.feed().due_at <= synced.clock.at
    synced.work()
    assert created(synced) == [1] * 51


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
    found = list(backfill.chunks("20260115", "20260320"))
    assert found == [("20260115", "20260214"), ("20260215", "20260317"), ("20260318", "20260320")]
    assert list(backfill.chunks("20260115", "20260115")) == [("20260115", "20260115")]


def test_what_could_not_be_pushed_waits_as_long_as_the_backfill(synced: World) -> None:
    """Nobody else pushes it in the meantime: a Beeminder in trouble has its pause."""
    made = ask(synced)
    synced.beeminder.faults.add(Fault(method="POST", path="datapoints", status=503, times=1))
    work(synced)
    asked = synced.beeminder.faults.count(method="POST", path="datapoints")
    assert row(synced, made).attempts == 1
    assert not deliver.run(synced.runtime())
    assert synced.beeminder.faults.count(method="POST", path="datapoints") == asked
    synced.clock.at = row(synced, made).due_at
    work(synced)
    assert (row(synced, made).state, len(synced.values())) == ("done", 51)


def test_what_beeminder_refuses_for_good_ends_it_and_what_landed_is_known(synced: World) -> None:
    """One point of a chunk is refused: the others are marked, nothing of them is sent again."""
    made = ask(synced)
    refusal = {"errors": "no"}
    synced.beeminder.faults.add(
        Fault(method="POST", path="create_all", status=422, body=refusal, times=1)
    )
    synced.beeminder.faults.add(
        Fault(method="POST", path="datapoints.json", status=422, body=refusal, times=1)
    )
    work(synced)
    found = row(synced, made)
    assert (found.state, found.written) == ("failed", 30)
    ask(synced)
    work(synced)
    assert created(synced) == [1] * 51
    assert row(synced, made + 1).written == 18  # three days were there before
