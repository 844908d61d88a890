"""The bright red line fits the values, so that "would this day be red" can be computed from it."""

import itertools
import json
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators import beeminder_road as road
from simulators import beeminder_views as views
from simulators.beeminder import Beeminder
from simulators.beeminder_state import Datapoint

NOW = 1_700_000_000.0  # 14 November 2023, 23:13 in Paris
TODAY = date(2023, 11, 14)
PARIS = ZoneInfo("Europe/Paris")
# yaw, dir: more, less of a good thing, less of a bad one, less of what should be less
DIRECTIONS = {"more": (1, 1), "less": (-1, 1), "down": (-1, -1), "ration": (1, -1)}


def noon(day):
    return int(datetime(day.year, day.month, day.day, 12, tzinfo=PARIS).timestamp())


def stamp(day):
    return day.strftime("%Y%m%d")


def line_on(rows, day):
    """The line from the rows of the API alone, without the simulator's own arithmetic."""
    rows = [(datetime.fromtimestamp(t, PARIS).date(), v) for t, v, _ in rows]
    if day <= rows[0][0]:
        return rows[0][1]
    for (start, low), (end, high) in itertools.pairwise(rows):
        if start <= day < end:
            return low + (high - low) * (day - start).days / (end - start).days
    return rows[-1][1]


def simulated(values, **fields):
    """A goal of alice's in Paris with these values by day, counted back from today."""
    made = Beeminder(clock=lambda: NOW)
    made.state.add_user("alice", timezone="Europe/Paris")
    goal = made.state.add_goal("alice", "energy", **fields)
    for age, value in values.items():
        day = TODAY - timedelta(days=age)
        goal.datapoints[f"p{age}"] = Datapoint(
            id=f"p{age}",
            timestamp=noon(day),
            daystamp=stamp(day),
            value=value,
            landed_at=NOW,
            changed_at=NOW,
        )
    return made, goal


@given(
    towards=st.sampled_from(sorted(DIRECTIONS)),
    kyoom=st.booleans(),
    rate=st.floats(0.1, 50),
    runits=st.sampled_from(sorted(road.UNIT_DAYS)),
    values=st.dictionaries(st.integers(0, 9), st.floats(0, 40), max_size=6),
    safe=st.integers(0, 12),
)
@settings(max_examples=150, deadline=None)
def test_a_line_that_was_laid_gives_the_days_asked_for(towards, kyoom, rate, runits, values, safe):
    """For every kind of goal: safebuf, losedate, colour, and the rows say the same thing."""
    yaw, direction = DIRECTIONS[towards]
    made, goal = simulated(
        values,
        yaw=yaw,
        dir=direction,
        kyoom=kyoom,
        rate=-rate if direction < 0 else rate,
        runits=runits,
    )
    made.lay_road("alice", "energy", safe_days=safe)
    shown = views.goal(made.state, goal)

    assert shown["safebuf"] == safe
    end = datetime.fromtimestamp(shown["losedate"] + 1, PARIS)
    assert (end.date() - timedelta(days=safe + 1), end.hour, end.minute) == (TODAY, 0, 0)
    assert (shown["colorkey"] == "red") == (safe == 0)
    yesterday = {age: value for age, value in values.items() if age >= 1}
    before = sum(yesterday.values()) if kyoom else yesterday[min(yesterday)] if yesterday else None
    if before is not None:
        red = line_on(shown["fullroad"], TODAY - timedelta(days=1))
        assert yaw * (before - red) >= -1e-6 * max(1, abs(before))
    if (0 in values or yaw == direction) and values:
        current = line_on(shown["fullroad"], TODAY)
        assert (yaw * (shown["curval"] - current) < 0) == (safe == 0)


def test_a_worse_value_for_yesterday_makes_a_goal_red_at_once():
    """Do-more, 5 becomes 0: the line says so before it is written, and safebuf after it."""
    made, goal = simulated({2: 4.0, 1: 5.0}, rate=1.0)
    made.lay_road("alice", "energy", safe_days=3)
    shown = views.goal(made.state, goal)
    red = line_on(shown["fullroad"], TODAY - timedelta(days=1))
    assert 4.0 + 0.0 < red <= 4.0 + 5.0
    goal.datapoints["p1"].value = 0.0
    assert views.goal(made.state, goal)["safebuf"] == 0


def test_a_bigger_value_for_yesterday_makes_a_do_less_goal_red_at_once():
    """Do-less, 1 becomes 4: the line says so as well."""
    made, goal = simulated({2: 1.0, 1: 1.0, 0: 0.0}, yaw=-1, dir=1, rate=1.0)
    made.lay_road("alice", "energy", safe_days=2)
    shown = views.goal(made.state, goal)
    red = line_on(shown["fullroad"], TODAY - timedelta(days=1))
    assert 1.0 + 1.0 <= red < 1.0 + 4.0
    goal.datapoints["p1"].value = 4.0
    assert views.goal(made.state, goal)["safebuf"] == 0


def test_what_is_done_today_does_not_mend_yesterday():
    """A day that ended on the wrong side is red, however far ahead the goal is by now."""
    made, goal = simulated({2: 4.0, 1: 5.0, 0: 100.0}, rate=1.0)
    goal.roadall = [[noon(TODAY - timedelta(days=5)), 4.0, None], [road.NO_END, None, 1.0]]
    assert views.goal(made.state, goal)["safebuf"] > 7
    goal.datapoints["p1"].value = 3.0
    shown = views.goal(made.state, goal)
    assert shown["curval"] > line_on(shown["fullroad"], TODAY)
    assert (shown["safebuf"], shown["colorkey"]) == (0, "red")


def test_a_do_less_goal_without_data_today_is_presumed_to_have_doubled_its_rate():
    """A zero for today spares it that, and it is safer by exactly this."""
    made, goal = simulated({1: 1.0}, yaw=-1, dir=1, rate=2.0)
    goal.roadall = [[noon(TODAY), 7.0, None], [road.NO_END, None, 2.0]]
    # 1, presumed 5, 9, 13; the line is at 7, 9, 11.
    assert views.goal(made.state, goal)["safebuf"] == 2
    goal.datapoints["p0"] = Datapoint(
        id="p0",
        timestamp=noon(TODAY),
        daystamp=stamp(TODAY),
        value=0.0,
        landed_at=NOW,
        changed_at=NOW,
    )
    # 1, then presumed 5, 9, 13, 17; the line is at 7, 9, 11, 13.
    assert views.goal(made.state, goal)["safebuf"] == 4


def test_the_line_fits_the_rest_of_the_goal():
    """delta, dueby, rah, safebump, initday and the roads are all read off the same line."""
    made, goal = simulated({1: 10.0, 0: 0.0}, rate=7.0, runits="w")
    start = TODAY - timedelta(days=10)
    goal.roadall = [[noon(start), -5.0, None], [noon(TODAY), None, 7], [road.NO_END, None, 7]]
    shown = views.goal(made.state, goal)
    assert shown["fullroad"][:2] == [[noon(start), -5.0, 0.0], [noon(TODAY), 5.0, 7.0]]
    assert (shown["initday"], shown["initval"]) == (noon(start), -5.0)
    assert (shown["curval"], shown["curday"], shown["currate"]) == (10.0, noon(TODAY), 7.0)
    assert (shown["delta"], shown["rah"], shown["safebuf"], shown["safebump"]) == (5, 12, 6, 11)
    assert shown["dueby"][stamp(TODAY)] == {"total": 5.0, "delta": -5.0}
    assert len(shown["dueby"]) == 7
    assert shown["road"] == shown["roadall"][1:-1]
    assert shown["mathishard"] == shown["fullroad"][-1]
    assert (shown["goaldate"], shown["goalval"], shown["rate"]) == (road.NO_END, None, 7)


@pytest.mark.parametrize(
    ("fields", "nulls"),
    [
        ({"rate": 2.0}, "goalval"),
        ({"rate": 2.0, "goalval": 100.0}, "goaldate"),
        ({"rate": None, "goalval": 100.0, "goaldate": noon(TODAY) + 86_400 * 50}, "rate"),
        ({"rate": 0.0, "goalval": 100.0}, "goaldate"),
    ],
)
def test_exactly_one_of_date_value_and_rate_is_null(fields, nulls):
    """However a goal is made; the triple that is filled in has no null and fits the line."""
    made, goal = simulated({1: 3.0}, **fields)
    shown = views.goal(made.state, goal)
    assert [n for n in ("goaldate", "goalval", "rate") if shown[n] is None] == [nulls]
    assert None not in shown["mathishard"]


def test_a_line_that_nobody_drew_is_far_away():
    """Most tests are not about the line: two weeks without data make no goal red."""
    for towards, (yaw, direction) in DIRECTIONS.items():
        made, goal = simulated({14: 1.0}, yaw=yaw, dir=direction, rate=direction * 1.0)
        assert views.goal(made.state, goal)["colorkey"] == "dkgreen", towards


def test_where_the_line_jumps_the_later_value_counts():
    """Two rows of one day are a step; after the last row the line is level."""
    made, goal = simulated({0: 5.0}, rate=0.0)
    step = [noon(TODAY), 9.0, None]
    goal.roadall = [
        [noon(TODAY - timedelta(days=1)), 1.0, None],
        [noon(TODAY), 1.0, None],
        step,
        [noon(TODAY) + 86_400, None, 0],
    ]
    drawn = road.knots(made.state, goal)
    assert [road.line(drawn, TODAY.toordinal() + ahead) for ahead in (-2, -1, 0, 1, 99)] == [
        1.0,
        1.0,
        9.0,
        9.0,
        9.0,
    ]


@pytest.mark.parametrize("fields", [{"rate": 0.0}, {"yaw": -1, "dir": -1, "rate": 1.0}])
def test_a_line_that_is_never_crossed_is_not_laid(fields):
    """A test that asks for a red goal gets one, or an error that says what it needs."""
    made, _goal = simulated({}, **fields)
    with pytest.raises(ValueError, match="rate"):
        made.lay_road("alice", "energy")


def test_facts_replace_what_is_calculated():
    """A test may say the buffer without a line; none at all is a goal in error, and gray."""
    made, goal = simulated({0: 1.0})
    goal.facts = {"safebuf": 1}
    shown = views.goal(made.state, goal)
    assert (shown["safebuf"], shown["colorkey"]) == (1, "orange")
    assert shown["losedate"] == 1_700_089_199  # 23:59:59 tomorrow
    goal.facts = {"safebuf": None}
    assert views.goal(made.state, goal)["colorkey"] == "gray"


def test_a_drawn_line_is_shown_again(api):
    """PUT takes rows with dates as numbers or text; GET gives them back, and filled in."""
    rows = [["2023-11-10", 0, None], ["20231114", None, 2], [None, 100, 4]]
    shown = api("PUT", "me/goals/energy", roadall=json.dumps(rows))
    days = [TODAY - timedelta(days=4), TODAY, TODAY + timedelta(days=23)]
    assert [row[0] for row in shown["fullroad"]] == [noon(day) for day in days]
    assert [row[1:] for row in shown["fullroad"]] == [[0.0, 0.0], [8.0, 2.0], [100.0, 4.0]]
    assert (shown["goaldate"], shown["goalval"], shown["rate"]) == (None, 100, 4)


@pytest.mark.parametrize(
    "rows",
    [
        "[[",
        "7",
        "[]",
        "[[1700000000, 0, null]]",
        "[[1700000000, 0, 1], [1800000000, null, 1]]",
        "[[1700000000, 0, null], [1800000000, 1, 1]]",
        "[[1700000000, 0, null], [null, 1, 1], [1800000000, 1, null]]",
        '[["soon", 0, null], [1800000000, 1, null]]',
    ],
)
def test_a_line_that_makes_no_sense_is_refused(api, beeminder, rows):
    """With the message that was seen, and the line stays."""
    refused = api("PUT", "me/goals/energy", 422, roadall=rows)
    assert refused == {"errors": {"message": "Error parsing params (roadall)"}}
    assert beeminder.state.goal("alice", "energy").roadall is None
