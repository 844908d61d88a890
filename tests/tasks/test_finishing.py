"""The end of a sync: fresh, scheduled, and a person told what they should know, once."""

import pytest

from db import notices
from db.models import Notice, Source
from db.states import Lane, SourceState
from tasks import sync
from tests.db.counting import statements
from tests.tasks.measured import edit, look, row, say
from tests.tasks.scenes import TODAY, YESTERDAY, all_rows, change_feed, die
from tests.world import DAY, NOON, World, crash_at

BEFORE = {YESTERDAY: 5.0, TODAY: 1.0}


def calm(world: World, **facts: object) -> None:
    """The goal is far from red."""
    far = {"losedate": int(world.clock.at + 30 * DAY), "safebuf": 30}
    world.beeminder.state.change_goal("alice", "energy", facts=far, **facts)


def told(world: World, kind: str) -> list[Notice]:
    """What a person is told of this kind now."""
    return [n for n in all_rows(world, Notice) if n.kind == kind and n.cleared_at is None]


def due_in(world: World) -> float:
    """Seconds until the feed is looked at again."""
    return world.feed().due_at - world.clock.at


def test_a_feed_is_looked_at_again_by_its_schedule(world: World) -> None:
    """A little early, so that feeds which started together spread; in the lane of schedules."""
    calm(world)
    world.work()
    assert 0.95 * 3600 <= due_in(world) <= 3600
    assert world.feed().lane == Lane.BULK
    assert world.feed().last_synced_at == world.clock.at


def test_a_slow_schedule_waits_for_no_deadline(world: World) -> None:
    """Once a month is not too late for the last look at today."""
    calm(world)
    change_feed(world, every=30 * DAY)
    world.work()
    assert DAY / 2 - 300 <= due_in(world) <= DAY / 2 - 60


def test_a_red_day_is_looked_at_urgently(world: World) -> None:
    """An hour before its deadline, in the lane of callbacks."""
    world.beeminder.state.change_goal(
        "alice", "energy", facts={"losedate": int(world.clock.at + DAY / 2 - 1), "safebuf": 0}
    )
    change_feed(world, every=30 * DAY)
    world.work()
    assert due_in(world) == DAY / 2 - 3600
    assert world.feed().lane == Lane.URGENT


@pytest.mark.parametrize("every", [900.0, 7 * DAY])
def test_what_is_held_is_looked_at_within_the_hour(world: World, every: float) -> None:
    """Never later than the schedule, either."""
    calm(world)
    say(world, BEFORE)
    world.work()
    change_feed(world, every=every)
    say(world, BEFORE | {YESTERDAY: 3.0})
    look(world)
    assert row(world, YESTERDAY).state == "held"
    assert due_in(world) <= min(every, 3600.0)


def test_a_notice_of_a_hold_names_the_days_and_what_to_do(world: World) -> None:
    """Which days, why, and the command; gone when nothing is held any more."""
    rt = world.runtime()
    say(world, {"20261118": 4.0} | BEFORE)
    world.work(rt)
    say(world, {"20261118": 2.0, YESTERDAY: 3.0, TODAY: 1.0})
    look(world)

    (notice,) = told(world, "held")
    for words in ("2026-11-18", "2026-11-19", "4 → 2", "→ 3", "waggle approve"):
        assert words in notice.message
    assert notice.user_id == world.user_id

    say(world, {"20261118": 4.0} | BEFORE)
    look(world)
    assert told(world, "held") == []


def test_units_that_differ_are_told_and_taken_back(world: World) -> None:
    """A value in kWh on a goal in minutes is somebody's mistake; it is sent all the same."""
    world.beeminder.state.change_goal("alice", "energy", gunits="minutes")
    world.work()
    (notice,) = told(world, "units")
    assert "kWh" in notice.message
    assert "minutes" in notice.message
    assert world.values()[TODAY] == 2.5

    world.beeminder.state.change_goal("alice", "energy", gunits="kWh")
    look(world)
    assert told(world, "units") == []


def test_a_source_that_answers_again_is_active(world: World) -> None:
    """Whatever was wrong with it is over, and so is its error."""
    with world.ledger.write() as session:
        source = session.get_one(Source, world.source_id)
        source.state, source.last_error = SourceState.FAILING, "it was shut"
        session.add(source)
    world.work()
    (source,) = all_rows(world, Source)
    assert (source.state, source.last_error) == (SourceState.ACTIVE, None)


def test_a_goal_that_fits_again_is_not_failing(world: World) -> None:
    """The person made the goal sum: the next look finds it, and sends."""
    world.beeminder.state.change_goal("alice", "energy", aggday="count")
    world.work()
    assert world.feed().state == "failing"
    world.beeminder.state.change_goal("alice", "energy", aggday="sum")
    look(world)
    assert world.feed().state == "active"
    assert told(world, "unfit") == []
    assert world.values()[TODAY] == 2.5


def test_what_was_told_before_the_claim_is_taken_back_and_nothing_is_asked_where_nothing_was(
    world: World,
) -> None:
    """Each feed of a batch by itself: of many that are fresh few have ever failed."""
    second = world.link("output")
    alarm = {"user_id": world.user_id, "kind": "failing_red", "message": "x", "now": NOON}
    with world.ledger.write() as session:
        notices.raise_(session, subject=f"feed:{world.feed_id}", **alarm)
        notices.raise_(session, subject=f"goal:{second}", **alarm)

    with statements(world.ledger, written=True) as sent:
        look(world)

    assert world.feed(second).last_synced_at == world.clock.at
    assert [notice.subject for notice in told(world, "failing_red")] == [f"goal:{second}"]
    assert sum("UPDATE notice" in statement for statement in sent) == 1


def test_a_finish_that_is_fenced_off_tells_nobody(world: World) -> None:
    """What a worker without its lease found out is not told: its successor tells."""
    say(world, BEFORE)
    world.work()
    say(world, BEFORE | {YESTERDAY: 3.0})
    world.clock.advance(700)
    world.call_back()

    def trace(step: str) -> None:
        if step == "recorded":
            change_feed(world, epoch=world.feed().epoch + 1)

    sync.run(world.runtime(trace=trace), Lane.BULK)

    assert told(world, "held") == []


def test_a_worker_that_died_at_the_end_is_made_up_for(world: World) -> None:
    """Killed between the push and the mark: told and scheduled by whoever takes over."""
    say(world, BEFORE)
    world.work()
    say(world, {YESTERDAY: 3.0, TODAY: 2.0})
    world.clock.advance(700)
    world.call_back()
    assert die(world, world.runtime(trace=crash_at("push.sent")))

    look(world, after=30)

    assert len(told(world, "held")) == 1
    assert world.values() == {YESTERDAY: 5.0, TODAY: 2.0}


def test_a_frozen_day_is_told_beside_a_held_one(world: World) -> None:
    """Two causes are two notices; one that is settled leaves the other."""
    say(world, {"20261118": 4.0} | BEFORE)
    world.work()
    edit(world, "20261118", value=9.0)
    say(world, {"20261118": 5.0, YESTERDAY: 3.0, TODAY: 1.0})
    look(world)
    assert (len(told(world, "edited")), len(told(world, "held"))) == (1, 1)

    say(world, {"20261118": 5.0} | BEFORE)
    look(world)
    assert (len(told(world, "edited")), len(told(world, "held"))) == (1, 0)
