"""What datapoints come to, as Beeminder's graph engine counts them."""

import pytest

from simulators.beeminder_aggregate import METHODS, by_day


@pytest.fixture
def goal(beeminder):
    return beeminder.state.goal("alice", "energy")


@pytest.fixture
def add(api):
    def added(*values, day="20231110"):
        for number, value in enumerate(values):
            api(
                "POST",
                "me/goals/energy/datapoints",
                value=value,
                daystamp=day,
                requestid=f"{day}-{number}",
            )

    return added


@pytest.mark.parametrize(
    ("aggday", "value"),
    [
        ("sum", 10.0),
        ("last", 0.0),
        ("first", 2.0),
        ("min", 0.0),
        ("max", 6.0),
        ("count", 4.0),
        ("mean", 8 / 3),  # of 2, 6 and 0: a value that came twice counts once
        ("truemean", 2.5),
        ("median", 2.0),
        ("mode", 2.0),
        ("binary", 1.0),
        ("nonzero", 1.0),
        ("countflat", 3.0),
        ("cap1", 1.0),
        ("square", 100.0),
        ("triangle", 55.0),
    ],
)
def test_a_day_comes_to_one_value(add, api, goal, aggday, value):
    """Each way of counting, over a day with 2, 2, 6 and 0 in this order."""
    goal.kyoom, goal.aggday = False, aggday
    add(2, 2, 6, 0)
    assert by_day(goal) == {"20231110": pytest.approx(value)}
    assert api("GET", "me/goals/energy")["curval"] == pytest.approx(value)


@pytest.mark.parametrize("aggday", sorted(METHODS))
def test_days_of_zeros_are_no_trouble(add, goal, aggday):
    """A zero is a datapoint: it is counted by what counts points, and by nothing else."""
    goal.kyoom, goal.aggday = False, aggday
    add(0)
    counts = aggday in {"binary", "unary", "jolly", "count"}
    assert by_day(goal) == {"20231110": float(counts)}


@pytest.mark.parametrize("kyoom", [True, False])
def test_auto_summing_adds_the_days_up(add, goal, kyoom):
    """First the day's aggregate, then the sum over the days; a day without data is not there."""
    goal.kyoom, goal.aggday = kyoom, "max"
    add(1, 3, day="20231110")
    add(2, day="20231112")
    assert by_day(goal) == {"20231110": 3.0, "20231112": 5.0 if kyoom else 2.0}


def test_a_zero_on_an_odometer_is_a_new_meter(add, goal):
    """The readings after it go on where the old meter stood, and only on odometer goals."""
    goal.kyoom, goal.aggday = False, "last"
    for number, reading in enumerate((100, 120, 0, 7)):
        add(reading, day=f"2023111{number}")
    assert list(by_day(goal).values()) == [100.0, 120.0, 0.0, 7.0]
    goal.odom = True
    assert list(by_day(goal).values()) == [100.0, 120.0, 120.0, 127.0]


def test_what_is_not_simulated_is_said(goal):
    """A way of counting that is missing here is an error and not some other number."""
    goal.aggday = "skatesum"
    with pytest.raises(ValueError, match="skatesum"):
        by_day(goal)
