"""Meters and levels on a summing goal: the days add up to the way that the reading went."""

import math

import pytest

from simulators.faults import Fault
from tests.tasks.diary import Diary
from tests.tasks.measured import look, say, with_options
from tests.tasks.scenes import TODAY, YESTERDAY, change_feed
from tests.world import DAY, World

EARLIER = "20261118"


def goal(world: World, **facts: object) -> None:
    """The goal counts like this."""
    world.beeminder.state.change_goal("alice", "energy", **facts)


def read_as(world: World, **params: object) -> None:
    """The series is read like this."""
    change_feed(world, params={"timeseries": world.series, "data_state": "Clean"} | params)


NOON_OF = {f"202611{20 + n}": 1795176000.0 + n * DAY for n in range(11)}


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
