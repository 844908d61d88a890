"""What a change of a goal's way of counting would do: nobody derails by `--fix-goal`."""

import math
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import clients
from simulators import beeminder_aggregate
from tasks import fit, mend
from tasks.mend import Counting
from tests.world import NOON

TZ = ZoneInfo("UTC")
TODAY = date(2026, 11, 20)


def stamp(back):
    """The day so many days ago."""
    return (TODAY - timedelta(days=back)).strftime("%Y%m%d")


def noon(back, tz=UTC):
    """Noon of that day."""
    day = TODAY - timedelta(days=back)
    return datetime(day.year, day.month, day.day, 12, tzinfo=tz).timestamp()


def points(*values):
    """One point a day, the last of them today's."""
    count = len(values)
    return [
        clients.Datapoint(
            id=f"{number:024x}",
            value=value,
            daystamp=stamp(count - 1 - number),
            timestamp=int(noon(count - 1 - number)),
        )
        for number, value in enumerate(values)
    ]


def goal(curval, *, flat=None, road=None, **facts):
    """A goal at this value with a level line, or with this one."""
    rows = [(noon(400), flat, 0.0), (noon(-400), flat, 0.0)] if road is None else road
    usual = {"id": "g", "slug": "energy", "kyoom": False, "aggday": "last", "yaw": 1, "dir": 1}
    return clients.GoalWithRoad(**(usual | facts), curval=curval, fullroad=rows)


def look(found, given_points, after):
    """The outlook of a change at noon of today."""
    return mend.outlook(found, given_points, after, now=NOON, tz=TZ)


SUM, LAST = Counting("sum", kyoom=True), Counting("last", kyoom=False)


@pytest.mark.parametrize(
    ("what", "refused", "after"),
    [
        # Do more, a level of 100 becomes a sum: more than enough.
        ({"curval": 100, "flat": 90, "points": (98, 99, 100), "to": SUM}, False, 297),
        # Do more, a sum of 9 becomes the last day's 2: far below the line.
        ({"curval": 9, "flat": 8.5, "points": (4, 3, 2), "to": LAST, "kyoom": True}, True, 2),
        ({"curval": 9, "flat": 1, "points": (4, 3, 2), "to": LAST, "kyoom": True}, False, 2),
        # Do less, a level of 3 below a line of 5 becomes a sum of 9.
        ({"curval": 3, "flat": 5, "points": (3, 3, 3), "to": SUM, "yaw": -1}, True, 9),
        ({"curval": 3, "flat": 7, "points": (3, 3, 3), "to": SUM, "yaw": -1}, False, 9),
        # Do less, a sum becomes a level: better.
        (
            {"curval": 9, "flat": 9, "points": (3, 3, 3), "to": LAST, "yaw": -1, "kyoom": True},
            False,
            3,
        ),
    ],
)
def test_a_change_that_turns_yesterday_red_is_refused(what, refused, after):
    """Do more and do less, both ways: what derails somebody is not made."""
    given_points, to = points(*what.pop("points")), what.pop("to")
    if what.get("kyoom"):
        what["aggday"] = "sum"
    found = look(goal(**what), given_points, to)
    assert found.curval_after == after
    assert bool(found.refused) is refused
    if refused:
        assert "yesterday" in found.refused


def test_only_yesterday_decides_and_today_is_told():
    """A red today can still be mended, so it is said and not refused; older days are over."""
    road = [(noon(400), 0.0, 0.0), (noon(1), 0.0, 0.0), (noon(0), 50.0, 50.0)]
    found = look(goal(9, road=road, kyoom=True, aggday="sum"), points(4, 3, 2), LAST)
    assert (found.refused, found.red_today) == (None, True)
    road = [(noon(400), 99.0, 0.0), (noon(2), 99.0, 0.0), (noon(1), 0.0, -99.0), (noon(0), 0.0, 0)]
    found = look(goal(9, road=road, kyoom=True, aggday="sum"), points(4, 3, 2), LAST)
    assert found.rows[-3].red_after
    assert (found.refused, found.red_today) == (None, False)


def test_past_days_are_shown_both_ways():
    """Fourteen rows that end today; a day without data stands where the one before stood."""
    given_points = points(5, 6, 7)
    del given_points[1]
    found = look(goal(7, flat=1), given_points, SUM)
    assert [row.daystamp for row in found.rows] == [stamp(back) for back in range(13, -1, -1)]
    assert [(row.now, row.after) for row in found.rows[-4:]] == [
        (None, None),
        (5, 5),
        (5, 5),
        (7, 12),
    ]
    assert {row.line for row in found.rows} == {1}


@pytest.mark.parametrize(
    ("found", "given_points", "why"),
    [
        (goal(11, flat=0), points(9, 10), "11"),
        (goal(11, flat=0, queued=True), points(9, 10), "drawn anew"),
        (goal(None, flat=0), points(9, 10), "no value"),
        (goal(10, flat=0), [], "no value"),
        (goal(10, road=[]), points(9, 10), "bright red line"),
        (goal(10, road=[(noon(9), None, 1.0), (noon(-9), 5, 1.0)]), points(9, 10), "red line"),
        (goal(10, flat=0), points(10), "yesterday"),
        (goal(10, flat=0, aggday="clocky"), points(9, 10), "'clocky'"),
        (goal(10, flat=0, aggday=None), points(9, 10), "not reckoned"),
        (goal(10, flat=0, odom=True), points(0, 10), "odometer"),
        (goal(10, flat=99), points(9, 10), "red already"),
    ],
)
def test_what_cannot_be_told_is_refused(found, given_points, why):
    """A guess about somebody's money is none: the reason is said."""
    refused = look(found, given_points, SUM).refused
    assert why in refused
    assert "at Beeminder" in refused  # and what a person can do about it


lists = st.lists(st.integers(-50, 50).map(float), min_size=1, max_size=4)


@given(
    per_day=st.lists(lists, min_size=1, max_size=6),
    aggday=st.sampled_from(sorted(set(mend.AGGREGATES) & set(beeminder_aggregate.METHODS))),
    kyoom=st.booleans(),
)
def test_days_are_counted_as_beeminder_counts_them(per_day, aggday, kyoom):
    """Every aggregate that we reckon agrees with the other implementation there is."""
    flat = [(value, back) for back, values in enumerate(reversed(per_day)) for value in values]
    made = [
        clients.Datapoint(
            id=f"{number:024x}", value=value, daystamp=stamp(back), timestamp=int(noon(back))
        )
        for number, (value, back) in enumerate(flat)
    ]
    each = [beeminder_aggregate.METHODS[aggday](values) for values in per_day]
    curval = math.fsum(each) if kyoom else each[-1]
    same = Counting(aggday, kyoom=kyoom)
    found = look(goal(curval, flat=-1e9, aggday=aggday, kyoom=kyoom), made, same)
    assert found.refused is None or "yesterday" in found.refused
    assert found.curval_after == pytest.approx(curval)


@given(
    values=st.lists(st.integers(0, 20).map(float), min_size=2, max_size=13),
    flat=st.integers(-5, 300),
    yaw=st.sampled_from([1, -1]),
    kyoom=st.booleans(),
)
def test_no_change_that_is_allowed_derails(values, flat, yaw, kyoom):
    """Whatever the numbers: where nothing is refused, yesterday stays on the good side."""
    curval = sum(values) if kyoom else values[-1]
    found = look(
        goal(curval, flat=flat, yaw=yaw, kyoom=kyoom, aggday="sum" if kyoom else "last"),
        points(*values),
        LAST if kyoom else SUM,
    )
    after = values[-2] if kyoom else sum(values[:-1])
    assume(found.refused is None)
    assert yaw * (after - flat) >= 0


@pytest.mark.parametrize("yaw", [1, -1])
def test_the_line_is_straight_between_rows_and_strict_where_it_jumps(yaw):
    """On the day of a jump the stricter value counts; after the last row it goes on level."""
    road = [(noon(10), 0.0, 0.0), (noon(5), 10.0, 2.0), (noon(5), 20.0, 0.0), (noon(0), 20.0, 0.0)]
    day = [mend.line_on(road, TODAY - timedelta(days=back), TZ, yaw=yaw) for back in range(12)]
    assert day[0] == day[4] == 20
    assert day[5] == (20 if yaw > 0 else 10)
    assert [day[back] for back in (6, 7, 10)] == [8, 6, 0]
    assert day[11] is None
    assert mend.line_on(road, TODAY + timedelta(days=9), TZ, yaw=yaw) == 20


@given(
    days=st.lists(st.integers(-30, 30), min_size=2, max_size=6, unique=True),
    values=st.lists(st.integers(-9, 9), min_size=6, max_size=6),
    back=st.integers(-30, 30),
)
def test_the_line_lies_between_its_knots(days, values, back):
    """Interpolation never leaves the two rows around a day."""
    stops = sorted(days, reverse=True)
    road = [(noon(stop), float(value), 0.0) for stop, value in zip(stops, values, strict=False)]
    found = mend.line_on(road, TODAY - timedelta(days=back), TZ, yaw=1)
    if back > stops[0]:
        assert found is None
        return
    around = [
        sorted((one[1], other[1]))
        for (start, one), (end, other) in pairwise(zip(stops, road, strict=True))
        if start >= back >= end
    ] or [[road[-1][1]] * 2]
    assert any(low - 1e-9 <= found <= high + 1e-9 for low, high in around)


@pytest.mark.parametrize("zone", ["America/St_Johns", "Asia/Kathmandu", "Pacific/Kiritimati"])
def test_a_row_of_the_line_is_a_day_of_its_owner(zone):
    """The same instant is another date elsewhere."""
    tz = ZoneInfo(zone)
    road = [(noon(2, tz), 1.0, 0.0), (noon(1, tz), 2.0, 1.0), (noon(0, tz), 3.0, 1.0)]
    found = [mend.line_on(road, TODAY - timedelta(days=back), tz, yaw=1) for back in (2, 1, 0)]
    assert found == [1, 2, 3]


@pytest.mark.parametrize(
    ("kinds", "counting", "feeds", "better"),
    [
        (["total"], LAST, 1, Counting("last", kyoom=True)),
        (["total"], Counting("count", kyoom=False), 1, SUM),
        (["total", "total"], LAST, 2, SUM),
        (["events"], LAST, 1, SUM),
        (["level"], SUM, 1, Counting("sum", kyoom=False)),
        (["counter"], Counting("square", kyoom=True), 1, LAST),
        (["level", "level"], SUM, 2, None),
        (["total", "level"], LAST, 2, None),
    ],
)
def test_a_change_is_proposed_that_fits(kinds, counting, feeds, better):
    """As little as is needed; nothing where no way of counting would do."""
    assert mend.better(kinds, counting, feeds=feeds) == better


@given(
    kinds=st.lists(st.sampled_from(["total", "level", "counter", "events"]), min_size=1),
    aggday=st.sampled_from(sorted(mend.AGGREGATES)),
    kyoom=st.booleans(),
)
def test_what_is_proposed_fits(kinds, aggday, kyoom):
    """After the change every feed is sent as it is, and nothing is a problem."""
    found = mend.better(kinds, Counting(aggday, kyoom=kyoom), feeds=len(kinds))
    assume(found is not None)
    for kind in kinds:
        judged = fit.fit(
            kind=kind,
            kyoom=found.kyoom,
            aggday=found.aggday,
            odom=False,
            feeds=len(kinds),
            accept=False,
        )
        natural = fit.Shape.EVENTS if kind == "events" else fit.Shape.AS_IS
        assert (judged.shape, judged.problem) == (natural, None)


@pytest.mark.parametrize("unsaid", ["kyoom", "yaw"])
def test_what_beeminder_does_not_say_is_not_guessed(unsaid):
    """Without the good side, or the way of counting, nobody knows what would turn red."""
    found = look(goal(3, flat=1, **{unsaid: None}), points(1, 2, 3), SUM)
    assert found.refused is not None
    assert "does not say" in found.refused
