"""A goal that does not sum shows a running total: late data, holds and losses never bend it."""

import pytest

from db import approvals, outbox
from db.models_points import Datapoint
from simulators import beeminder_datapoints
from simulators.faults import Fault
from tasks import reconcile
from tasks.repairs import Repair
from tests.tasks.measured import edit, look, row, say, with_options
from tests.tasks.scenes import TODAY, YESTERDAY, change_feed
from tests.tasks.test_adopt import lose_ledger
from tests.world import DAY, World

EARLIER = "20261118"


def goal(world: World, **facts: object) -> None:
    """The goal counts like this."""
    world.beeminder.state.change_goal("alice", "energy", **facts)


def by_hand(world: World, daystamp: str, value: float) -> None:
    """A person typed a point."""
    known = world.beeminder.state.goal("alice", "energy")
    fields = {"value": value, "daystamp": daystamp}
    beeminder_datapoints.upsert(world.beeminder.state, known, fields, via=None)


def read_as(world: World, **params: object) -> None:
    """The series is read like this."""
    change_feed(world, params={"timeseries": world.series, "data_state": "Clean"} | params)


def test_a_total_on_a_goal_that_does_not_sum_is_a_running_total(world: World) -> None:
    """It goes on from the goal's last value before the first day that is sent."""
    goal(world, kyoom=False, aggday="last")
    by_hand(world, "20261110", 70.0)
    by_hand(world, "20261115", 100.0)
    say(world, {YESTERDAY: 5.0, TODAY: 1.0})

    world.work()

    assert world.values() == {YESTERDAY: 105.0, TODAY: 106.0}
    assert row(world, YESTERDAY).comment == "5 kWh from plant"


def test_late_data_moves_the_days_that_follow(world: World) -> None:
    """Two more on the first day are two more on each later one, today as well."""
    goal(world, kyoom=False, aggday="last")
    by_hand(world, "20261115", 100.0)
    say(world, {EARLIER: 1.0, YESTERDAY: 5.0, TODAY: 1.0})
    world.work()

    say(world, {EARLIER: 3.0, YESTERDAY: 5.0, TODAY: 1.0})
    look(world)

    assert world.values() == {EARLIER: 103.0, YESTERDAY: 108.0, TODAY: 109.0}


def test_a_running_total_goes_on_for_weeks(world: World) -> None:
    """Day after day, with days that nothing was measured on and days that Waggle slept through."""
    goal(world, kyoom=False, aggday="max")
    by_hand(world, "20261115", 100.0)
    said: dict[str, float] = {}
    for number in range(20):
        if number % 5 != 3:
            said[f"{20261120 + number}" if number < 11 else f"{20261201 + number - 11}"] = 1.5
        say(world, said)
        if number % 7 != 4:
            look(world)
        world.clock.advance(DAY - (700 if number % 7 != 4 else 0))
    look(world)

    total = 100.0
    expected = {}
    for day, value in sorted(said.items()):
        total += value
        expected[day] = total
    assert world.values() == expected


def test_a_running_total_survives_a_lost_ledger(world: World) -> None:
    """It is worked out anew from where the goal stood before us, not from our own last point."""
    goal(world, kyoom=False, aggday="last")
    by_hand(world, "20261115", 100.0)
    say(world, {YESTERDAY: 5.0, TODAY: 1.0})
    world.work()
    history = len(world.beeminder.state.history)
    lose_ledger(world)

    world.work()
    assert len(world.beeminder.state.history) == history

    world.clock.advance(DAY)
    say(world, {YESTERDAY: 5.0, TODAY: 1.0, "20261121": 2.0})
    look(world)
    assert world.values() == {YESTERDAY: 105.0, TODAY: 106.0, "20261121": 108.0}


def test_a_running_total_survives_a_lost_ledger_after_weeks(world: World) -> None:
    """Our points of before the look-back are what stands before it."""
    goal(world, kyoom=False, aggday="last")
    by_hand(world, "20261115", 100.0)
    say(world, {YESTERDAY: 5.0, TODAY: 1.0})
    world.work()
    world.clock.advance(10 * DAY)
    lose_ledger(world)
    say(world, {YESTERDAY: 5.0, TODAY: 1.0, "20261130": 2.0})

    world.work()

    assert world.values() == {YESTERDAY: 105.0, TODAY: 106.0, "20261130": 108.0}


@pytest.mark.parametrize("said", [{YESTERDAY: 0.0, TODAY: 2.0}, {YESTERDAY: 3.0, TODAY: 2.0}])
def test_a_held_correction_does_not_pull_today_down(world: World, said: dict) -> None:
    """While yesterday is kept as it is, today's total goes on from there; approved, it follows."""
    goal(world, kyoom=False, aggday="last")
    by_hand(world, "20261115", 100.0)
    say(world, {YESTERDAY: 5.0, TODAY: 1.0})
    world.work()

    say(world, said)
    look(world)
    assert world.values() == {YESTERDAY: 105.0, TODAY: 107.0}

    with world.ledger.write() as session:
        approvals.approve(session, [world.feed_id], daystamp=YESTERDAY, now=world.clock.at)
    look(world)
    assert world.values() == {
        YESTERDAY: 100.0 + said[YESTERDAY],
        TODAY: 102.0 + said[YESTERDAY],
    }


def test_a_running_total_of_another_series_goes_on_from_the_same_base(world: World) -> None:
    """A changed parameter: the days that are looked at are counted anew, in the same points."""
    goal(world, kyoom=False, aggday="last")
    by_hand(world, "20261115", 100.0)
    say(world, {YESTERDAY: 5.0, TODAY: 1.0})
    say(world, {YESTERDAY: 6.0, TODAY: 2.0}, series=world.other_series)
    world.work()

    read_as(world, timeseries=world.other_series)
    look(world)
    look(world)

    assert world.values() == {YESTERDAY: 106.0, TODAY: 108.0}
    assert len(world.points()) == 2


def test_many_held_days_do_not_pull_today_along(world: World) -> None:
    """Late data moves ten finished days, and that is asked about: today goes on from the last."""
    rt = with_options(world, lookback_days=10)
    goal(world, kyoom=False, aggday="last")
    by_hand(world, "20261101", 100.0)
    stamps = [f"202611{day}" for day in range(10, 20)]
    say(world, dict.fromkeys(stamps, 1.0) | {TODAY: 1.0})
    world.work(rt)
    assert world.values()[TODAY] == 111.0

    say(world, dict.fromkeys(stamps, 1.0) | {stamps[0]: 3.0, TODAY: 2.0})
    look(world, rt=rt)
    assert world.values()[YESTERDAY] == 110.0
    assert world.values()[TODAY] == 112.0

    with world.ledger.write() as session:
        approvals.approve(session, [world.feed_id], daystamp=None, now=world.clock.at)
    look(world, rt=rt)
    look(world, rt=rt)
    assert [world.values()[day] for day in stamps] == [103.0 + n for n in range(10)]
    assert world.values()[TODAY] == 114.0


def test_a_total_that_vanished_does_not_pull_later_days_down(world: World) -> None:
    """The source knows nothing of the day before any more: what was counted stays counted."""
    goal(world, kyoom=False, aggday="last", yaw=-1)
    by_hand(world, "20261115", 100.0)
    say(world, {EARLIER: 5.0, YESTERDAY: 1.0, TODAY: 1.0})
    world.work()

    say(world, {YESTERDAY: 1.0, TODAY: 2.0})
    look(world)
    look(world)

    assert world.values() == {EARLIER: 105.0, YESTERDAY: 106.0, TODAY: 108.0}


def test_today_goes_on_from_what_a_person_made_of_yesterday(world: World) -> None:
    """They said that the goal stood at ninety: what today added comes on top of that."""
    goal(world, kyoom=False, aggday="last")
    by_hand(world, "20261115", 100.0)
    say(world, {YESTERDAY: 5.0, TODAY: 1.0})
    world.work()
    edit(world, YESTERDAY, value=90.0)
    say(world, {YESTERDAY: 6.0, TODAY: 1.0})
    look(world)
    assert row(world, YESTERDAY).frozen == "edited"
    assert world.values() == {YESTERDAY: 90.0, TODAY: 91.0}  # by the sync that found it out

    say(world, {YESTERDAY: 6.0, TODAY: 2.0})
    look(world)

    assert world.values() == {YESTERDAY: 90.0, TODAY: 92.0}


def test_an_approved_day_that_a_person_edited_moves_the_days_after_it(world: World) -> None:
    """The outbox finds the edit: today is worked out again before it goes out, not after."""
    goal(world, kyoom=False, aggday="last")
    by_hand(world, "20261115", 100.0)
    say(world, {YESTERDAY: 5.0, TODAY: 1.0})
    world.work()
    say(world, {YESTERDAY: 2.0, TODAY: 3.0})
    world.beeminder.faults.add(
        Fault(method="POST", path="/datapoints", status=503, retry_after="60")
    )
    look(world)
    edit(world, YESTERDAY, value=90.0)
    with world.ledger.write() as session:
        approvals.approve(session, [world.feed_id], daystamp=None, now=world.clock.at)
    change_feed(world, due_at=world.clock.at + 5000.0)
    with world.ledger.write() as session:
        for point in outbox.pending(session, world.feed_id):
            session.get_one(Datapoint, point.id).due_at = world.clock.at
    world.clock.advance(61)

    world.work()

    assert world.values() == {YESTERDAY: 90.0, TODAY: 93.0}


def test_an_edit_that_reconciling_finds_moves_the_days_after_it(world: World) -> None:
    """Nobody has to wait for the feed's own schedule."""
    goal(world, kyoom=False, aggday="last")
    by_hand(world, "20261115", 100.0)
    say(world, {YESTERDAY: 5.0, TODAY: 1.0})
    world.work()
    edit(world, YESTERDAY, value=90.0)
    rt = world.runtime()

    reconcile.examine(rt, world.feed().goal_id, repair=Repair.NOTHING)
    world.work()

    assert world.values() == {YESTERDAY: 90.0, TODAY: 91.0}
