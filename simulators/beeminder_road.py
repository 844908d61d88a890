"""The bright red line of a goal, and how many days are left before the goal crosses it.

A row of the line stands for a day, and is shown at noon of that day. Between two rows the line is
straight, after the last one it is level. A day is red when its value is on the wrong side.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from simulators import beeminder_aggregate as aggregate
from simulators import beeminder_days as days
from simulators.beeminder_state import BeeminderState, Goal

UNIT_DAYS = {"y": 365.25, "m": 365.25 / 12, "w": 7.0, "d": 1.0, "h": 1 / 24}
NO_END = 4_102_444_799  # the end of 2099, shown where nobody chose a last day
# A goal whose line nobody drew has this many days' worth of room when it starts: most tests are
# not about the line.
_LENIENT_DAYS = 30
_FARTHEST = 1000
_ROUNDING = 1e-9
_HALF = 0.5


@dataclass(frozen=True, slots=True)
class Knot:
    """The line on one day (proleptic ordinal); `rate` per day leads here."""

    day: int
    value: float
    rate: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A goal on one day: its value, its line, and the safe days (0: the goal is red)."""

    today: int
    value: float
    knots: Sequence[Knot]
    safe_days: int


def matrix(state: BeeminderState, goal: Goal) -> list[list[Any]]:
    """`roadall`: rows of time, value and rate, one of them null; what was drawn, or a lenient one.

    The last row is always made of the goal's date, value and rate.
    """
    if goal.roadall is not None:
        return goal.roadall
    start = _day(state, goal, goal.created_at)
    room = _LENIENT_DAYS * abs(goal.rate or 0.0) / UNIT_DAYS[goal.runits]
    value = _start(goal) - goal.yaw * room
    return [[noon(state, goal, start), value, None], last_row(goal)]


def last_row(goal: Goal) -> list[Any]:
    """Two of the goal's date, value and rate, and null for the third."""
    if goal.goalval is None:
        return [goal.goaldate or NO_END, None, goal.rate or 0.0]
    return [goal.goaldate, goal.goalval, None if goal.goaldate else goal.rate or 0.0]


def knots(state: BeeminderState, goal: Goal) -> list[Knot]:
    """The line with every null filled in."""
    rows = matrix(state, goal)
    found = [Knot(_day(state, goal, rows[0][0]), float(rows[0][1]), 0.0)]
    for time, value, per_unit in rows[1:]:
        before = found[-1]
        steep = (per_unit or 0.0) / UNIT_DAYS[goal.runits]
        if time is None:
            day = _crossing(state, goal, before, value=value, steep=steep)
        else:
            day = _day(state, goal, time)
        length = day - before.day
        reached = before.value + steep * length if value is None else float(value)
        if per_unit is None:
            steep = (reached - before.value) / length if length else 0.0
        found.append(Knot(day, reached, steep))
    return found


def line(line_knots: Sequence[Knot], day: int) -> float:
    """Where the line is on that day; the later value where it jumps."""
    before = line_knots[0]
    if day < before.day:
        return before.value
    for after in line_knots[1:]:
        if day < after.day:
            return before.value + after.rate * (day - before.day)
        before = after
    return before.value


def rate(line_knots: Sequence[Knot], day: int) -> float:
    """How steep the line is on that day, per day; the later slope where it bends."""
    return next((knot.rate for knot in line_knots if day < knot.day), 0.0)


def full(state: BeeminderState, goal: Goal, line_knots: Sequence[Knot]) -> list[list[float]]:
    """`fullroad`: the filled-in rows, rates in the goal's own unit of time."""
    unit = UNIT_DAYS[goal.runits]
    return [
        [noon(state, goal, knot.day), knot.value, round(knot.rate * unit, 12)]
        for knot in line_knots
    ]


def standing(state: BeeminderState, goal: Goal) -> Standing:
    """How the goal stands now."""
    today = days.parse_daystamp(state.daystamp(goal, state.clock())).toordinal()
    values = {
        days.parse_daystamp(day).toordinal(): value for day, value in aggregate.by_day(goal).items()
    }
    drawn = knots(state, goal)
    left = _safe_days(goal, drawn, values, today)
    return Standing(today=today, value=_at(goal, values, today), knots=drawn, safe_days=left)


def lay(state: BeeminderState, goal: Goal, *, safe_days: int) -> None:
    """Draws a line with which the goal, as it stands, has that many safe days; 0 makes it red.

    Yesterday is on the good side. From now on the line stays where it is. ValueError for a goal
    that would never cross its line: it needs a rate that leads to it.
    """
    if safe_days < 0:
        raise ValueError("a goal can't have less than 0 safe days")
    steep = (goal.rate or 0.0) / UNIT_DAYS[goal.runits]
    step = _presumed(goal, steep)
    if goal.yaw * (step - steep) >= 0:
        raise ValueError("a goal whose line does not come nearer is never red: give it a rate")
    now = standing(state, goal)
    values = aggregate.by_day(goal)
    first = 0.0 if _stamp(now.today) in values else step
    # Half a day before the day on which it is crossed the goal stands on the line.
    today = now.value + first + (step - steep) * (safe_days - _HALF)
    earlier = [value for day, value in values.items() if day < _stamp(now.today)]
    lenient = (today - steep, earlier[-1] if earlier else _start(goal))
    yesterday = min(lenient) if goal.yaw > 0 else max(lenient)
    past = now.today - _LENIENT_DAYS
    goal.roadall = [
        [noon(state, goal, past), yesterday - steep * (_LENIENT_DAYS - 1), None],
        [noon(state, goal, now.today - 1), yesterday, None],
        [noon(state, goal, now.today), today, None],
        [NO_END, None, goal.rate],
    ]
    state.touch(goal)


def noon(state: BeeminderState, goal: Goal, day: int) -> int:
    """The instant at which a row of that day is shown, Unix seconds."""
    on = date.fromordinal(day)
    zone = ZoneInfo(state.users[goal.owner].timezone)
    return int(datetime(on.year, on.month, on.day, 12, tzinfo=zone).timestamp())


def _safe_days(goal: Goal, drawn: Sequence[Knot], values: dict[int, float], today: int) -> int:
    started = today - 1 >= drawn[0].day  # before the line starts no day is red
    if started and not _fine(goal, _at(goal, values, today - 1), line(drawn, today - 1)):
        return 0
    value = _at(goal, values, today)
    if today not in values:
        value += _presumed(goal, rate(drawn, today))
    ahead = 0
    while ahead < _FARTHEST and _fine(goal, value, line(drawn, today + ahead)):
        ahead += 1
        value += _presumed(goal, rate(drawn, today + ahead))
    return ahead


def _fine(goal: Goal, value: float, red: float) -> bool:
    return goal.yaw * (value - red) >= -_ROUNDING * max(1.0, abs(value))


def _presumed(goal: Goal, steep: float) -> float:
    """What Beeminder presumes for a day without data: on do-less goals twice the rate."""
    if goal.yaw * goal.dir >= 0:
        return 0.0
    if steep == 0:
        return -goal.yaw * 2.0
    return 0.0 if goal.yaw * steep > 0 else 2 * steep


def _at(goal: Goal, values: dict[int, float], day: int) -> float:
    known = [value for when, value in values.items() if when <= day]
    return known[-1] if known else _start(goal)


def _start(goal: Goal) -> float:
    if goal.initval is not None or goal.kyoom or not goal.datapoints:
        return goal.initval or 0.0
    return next(iter(aggregate.by_day(goal).values()))


def _crossing(
    state: BeeminderState, goal: Goal, before: Knot, *, value: float, steep: float
) -> int:
    ahead = (value - before.value) / steep if steep else -1.0
    end = _day(state, goal, NO_END)
    return min(end, before.day + math.ceil(ahead)) if ahead >= 0 else end


def _day(state: BeeminderState, goal: Goal, time: float) -> int:
    zone = ZoneInfo(state.users[goal.owner].timezone)
    return datetime.fromtimestamp(time, zone).date().toordinal()


def _stamp(day: int) -> str:
    return date.fromordinal(day).strftime("%Y%m%d")
