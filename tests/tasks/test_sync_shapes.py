"""Whatever a goal counts and however a metric does: what the goal shows is what happened."""

import math

import pytest

from db import approvals
from simulators import beeminder_datapoints
from simulators.faults import Fault
from tests.tasks.diary import Diary
from tests.tasks.measured import edit, look, row, say, with_options
from tests.tasks.scenes import TODAY, YESTERDAY, all_rows, change_feed
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

    say(world, {YESTERDAY: 6.0, TODAY: 2.0})
    look(world)

    assert world.values() == {YESTERDAY: 90.0, TODAY: 92.0}


def read_as(world: World, **params: object) -> None:
    """The series is read like this."""
    change_feed(world, params={"timeseries": world.series, "data_state": "Clean"} | params)


@pytest.mark.parametrize("counter", [None, True])
def test_a_reading_on_a_summing_goal_is_a_difference(world: World, counter: bool | None) -> None:  # noqa: FBT001
    """The first reading is where the count starts; then the days add up to the way it went."""
    read_as(world, aggregation="last", **({"counter": True} if counter else {}))
    say(world, {EARLIER: 4711.0, YESTERDAY: 4713.5, TODAY: 4714.0})

    world.work()

    assert world.values() == {YESTERDAY: 2.5, TODAY: 0.5}


def test_the_day_before_the_first_is_what_a_difference_starts_from(world: World) -> None:
    """A source with a history is asked for it: the first day counts as well, and is not older."""
    read_as(world, aggregation="last")
    say(world, {"20261117": 4700.0, EARLIER: 4711.0, YESTERDAY: 4713.5, TODAY: 4714.0})
    change_feed(world, since=EARLIER)

    world.work()

    assert world.values() == {EARLIER: 11.0, YESTERDAY: 2.5, TODAY: 0.5}


def test_a_counter_that_is_replaced_takes_nothing_away(world: World) -> None:
    """A new meter starts at zero: what it shows is what was used since; a level falls."""
    read_as(world, aggregation="last", counter=True)
    say(world, {EARLIER: 100.0, YESTERDAY: 103.0, TODAY: 2.0})
    world.work()
    assert world.values() == {YESTERDAY: 3.0, TODAY: 2.0}


@pytest.mark.parametrize("glitch", [0.0, 101.0])
@pytest.mark.parametrize("corrections", ["careful", "never"])
def test_today_does_not_make_up_for_a_reading_that_is_not_believed(
    world: World, corrections: str, glitch: float
) -> None:
    """Yesterday's meter reads less all at once: held, and today has not used all the rest."""
    read_as(world, aggregation="last", counter=True)
    change_feed(world, options={"corrections": corrections})
    say(world, {EARLIER: 100.0, YESTERDAY: 103.0, TODAY: 104.0})
    world.work()
    assert world.values() == {YESTERDAY: 3.0, TODAY: 1.0}

    say(world, {EARLIER: 100.0, YESTERDAY: glitch, TODAY: 105.0})
    look(world)
    look(world)
    assert world.values() == {YESTERDAY: 3.0, TODAY: 2.0}

    say(world, {EARLIER: 100.0, YESTERDAY: 103.0, TODAY: 106.0})
    look(world)
    assert world.values() == {YESTERDAY: 3.0, TODAY: 3.0}


def test_a_reading_that_vanished_is_not_counted_again(world: World) -> None:
    """The source lost yesterday's: it was counted, so today counts from it, look after look."""
    read_as(world, aggregation="last")
    say(world, {EARLIER: 100.0, YESTERDAY: 103.0, TODAY: 104.0})
    world.work()
    assert world.values() == {YESTERDAY: 3.0, TODAY: 1.0}

    say(world, {EARLIER: 100.0, TODAY: 105.0})
    look(world)
    look(world)

    assert world.values() == {YESTERDAY: 3.0, TODAY: 2.0}


@pytest.mark.parametrize("lookback", [0, 2])
def test_another_meter_is_not_compared_with_the_old_one(world: World, lookback: int) -> None:
    """A changed parameter: the new series starts from its own readings, however far apart."""
    rt = with_options(world, lookback_days=lookback)
    read_as(world, aggregation="last")
    say(world, {YESTERDAY: 100.0, TODAY: 104.0})
    say(world, {YESTERDAY: 9000.0, TODAY: 9001.0, "20261121": 9003.0}, series=world.other_series)
    world.work(rt)
    assert world.values() == {TODAY: 4.0}
    world.clock.advance(DAY)

    read_as(world, aggregation="last", timeseries=world.other_series)
    look(world, rt=rt)

    assert world.values() == {TODAY: 4.0, "20261121": 2.0}  # 1 instead of 4 would be held


def test_another_meter_does_not_go_on_from_readings_that_only_the_old_one_has(
    world: World,
) -> None:
    """The new series begins today: what the old one read yesterday is nothing to count from."""
    read_as(world, aggregation="last")
    say(world, {EARLIER: 90.0, YESTERDAY: 100.0})
    say(world, {TODAY: 9001.0}, series=world.other_series)
    world.work()
    assert world.values() == {YESTERDAY: 10.0}

    read_as(world, aggregation="last", timeseries=world.other_series)
    for _ in range(3):
        look(world)

    assert world.values() == {YESTERDAY: 10.0}


def test_a_reading_whose_push_failed_is_sent_after_midnight(world: World) -> None:
    """The past can't be asked again, but what was read in time is not lost with it."""
    goal(world, kyoom=False, aggday="last")
    diary = Diary(meter=7.0)
    with diary.feeding(world, "meter") as rt:
        world.beeminder.faults.add(
            Fault(method="POST", path="datapoints", status=503, times=1, retry_after="50000")
        )
        world.work(rt)
        assert world.values() == {}
        diary.meter = 8.0
        look(world, after=60_000, rt=rt)

    assert world.values() == {TODAY: 7.0, "20261121": 8.0}


def test_a_meter_without_a_history_counts_each_step_once(world: World) -> None:
    """It tells only what it shows now: the steps from day to day add up to all it went."""
    diary = Diary(meter=1000.0)
    with diary.feeding(world, "meter") as rt:
        for _ in range(5):
            world.clock.at += DAY / 3
            look(world, rt=rt)
            diary.meter += 1.5
        for _ in range(10):
            world.clock.at += DAY / 3
            diary.meter += 1.0
            look(world, rt=rt)

    values = world.values()
    first = values.pop(TODAY, 0.0)
    assert len(values) > 3
    assert first + sum(values.values()) == pytest.approx(diary.meter - 1000.0)


def test_differences_add_up_over_weeks(world: World) -> None:
    """Days without a reading are caught up, days slept through too; nothing counts twice."""
    read_as(world, aggregation="last", counter=True)
    readings = {f"202611{20 + n}": 1000.0 + 1.25 * n * n for n in range(11) if n not in (3, 4)}
    said: dict[str, float] = {}
    for number, (day, value) in enumerate(readings.items()):
        said[day] = value
        world.clock.at = max(world.clock.at, NOON_OF[day])
        say(world, said)
        if number not in (5, 6):
            look(world)

    assert math.isclose(sum(world.values().values()), readings["20261130"] - 1000.0)


NOON_OF = {f"202611{20 + n}": 1795176000.0 + n * DAY for n in range(11)}


def test_accepting_how_a_goal_counts_sends_what_the_source_says(world: World) -> None:
    """`accept_aggday`: a day's total on a goal that takes a day for itself, as the person wants."""
    goal(world, kyoom=False, aggday="last")
    change_feed(world, options={"accept_aggday": True})
    say(world, {YESTERDAY: 5.0, TODAY: 1.0})
    world.work()
    assert world.values() == {YESTERDAY: 5.0, TODAY: 1.0}


def test_two_feeds_of_one_summing_goal_are_two_points_of_a_day(world: World) -> None:
    """Each has its own; a callback is done when both are there; neither touches the other's."""
    say(world, {YESTERDAY: 5.0, TODAY: 1.0})
    say(world, {YESTERDAY: 50.0, TODAY: 10.0}, series=world.other_series)
    world.link("energy", series=world.other_series, label="roof")
    event_id = world.call_back()

    world.work()

    assert world.event(event_id).state == "done"
    values = world.beeminder.state.day_values("alice", "energy")
    assert {day: sum(found) for day, found in values.items()} == {YESTERDAY: 55.0, TODAY: 11.0}
    say(world, {YESTERDAY: 50.0, TODAY: 20.0}, series=world.other_series)
    look(world)
    values = world.beeminder.state.day_values("alice", "energy")
    assert {day: sum(found) for day, found in values.items()} == {YESTERDAY: 55.0, TODAY: 21.0}


@pytest.mark.parametrize("facts", [{"kyoom": False, "aggday": "last"}, {"aggday": "max"}])
def test_several_feeds_on_a_goal_that_adds_nothing_up_are_refused(
    world: World, facts: dict
) -> None:
    """Their values would write over each other: nothing is sent, and what to do is said."""
    goal(world, **facts)
    other = world.link("energy", series=world.other_series, label="roof")
    event_id = world.call_back()

    world.work()

    assert world.values() == {}
    for feed_id in (world.feed_id, other):
        feed = world.feed(feed_id)
        assert (feed.state, feed.reason) == ("failing", "unfit_goal")
        for word in ("2 feeds", "accept_aggday = true", "waggle link alice/energy --fix-goal"):
            assert word in (feed.last_error or "")
    assert world.event(event_id).state == "failed"


@pytest.mark.parametrize("aggday", ["count", "binary", "square", "cap1"])
def test_a_goal_that_counts_points_instead_of_values_is_refused(world: World, aggday: str) -> None:
    """One point a day would not count as its own value."""
    goal(world, aggday=aggday)
    world.work()
    assert world.values() == {}
    assert (world.feed().state, world.feed().reason) == ("failing", "unfit_goal")


def test_a_goal_that_changes_how_it_counts_starts_over_without_a_jump(world: World) -> None:
    """It summed and does not any more: the running total goes on from what the goal shows."""
    say(world, {YESTERDAY: 5.0, TODAY: 1.0})
    world.work(with_options(world, lookback_days=0))
    assert world.values() == {TODAY: 1.0}
    goal(world, kyoom=False, aggday="last")
    by_hand(world, YESTERDAY, 40.0)
    say(world, {YESTERDAY: 5.0, TODAY: 2.0})

    look(world, rt=with_options(world, lookback_days=0))

    assert world.values() == {TODAY: 42.0}
    assert len(all_rows(world, type(row(world, TODAY)))) == 1
