"""What a change of a goal's way of counting would do to its past. Pure.

Beeminder counts all days anew when `aggday` or `kyoom` change, and a goal derails the moment that
yesterday is on the wrong side of the bright red line. So before anybody changes them, the goal is
counted here both ways from all of its datapoints. If the way it counts now does not give the value
that Beeminder shows, nothing can be said about the other way either.
"""

import itertools
import math
import statistics
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import clients
from tasks import days
from tasks.fit import ONE_POINT_IS_ITSELF
from tasks.providers import ValueKind

SHOWN_DAYS = 14
BY_HAND = "If you are sure of it, change it in the goal's settings at Beeminder"
CLOSE = 1e-6  # of a value: Beeminder shows rounded ones

AGGREGATES: Mapping[str, Callable[[Sequence[float]], float]] = {
    "sum": math.fsum,
    "last": lambda values: values[-1],
    "first": lambda values: values[0],
    "min": min,
    "max": max,
    "truemean": statistics.fmean,
    # A value that comes twice counts once.
    "mean": lambda values: statistics.fmean(set(values)),
    "uniqmean": lambda values: statistics.fmean(set(values)),
    "median": statistics.median,
    "count": lambda values: float(len(values)),
    "binary": lambda _values: 1.0,
    "jolly": lambda _values: 1.0,
    "nonzero": lambda values: float(any(values)),
    "cap1": lambda values: min(1.0, math.fsum(values)),
    "square": lambda values: math.fsum(values) ** 2,
    "triangle": lambda values: math.fsum(values) * (math.fsum(values) + 1) / 2,
}


class UntoldError(Exception):
    """It can't be said how the goal would stand; the text says why."""


@dataclass(frozen=True, slots=True)
class Counting:
    """How a goal counts: the aggregate of a day's points, and whether the days are added up."""

    aggday: str
    kyoom: bool | None


@dataclass(frozen=True, slots=True)
class Row:
    """Where the goal stands at the end of a day, counted both ways; `line` is the bright red one.

    None: there is nothing yet, or it is not known.
    """

    daystamp: str
    now: float | None
    after: float | None
    line: float | None
    red_after: bool


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a change would do. `refused`: why it must not be made, in words, or None."""

    rows: tuple[Row, ...]
    curval: float | None
    curval_after: float | None
    refused: str | None
    red_today: bool


def better(kinds: Collection[ValueKind], counting: Counting, *, feeds: int) -> Counting | None:
    """The way of counting under which metrics of these kinds are sent as they are.

    None where there is none: totals and levels on one goal, or the levels of several feeds.
    """
    if all(kind in ("total", "events") for kind in kinds):
        needs_sum = feeds > 1 or "events" in kinds
        fine = counting.aggday == "sum" if needs_sum else counting.aggday in ONE_POINT_IS_ITSELF
        return Counting(counting.aggday if fine else "sum", kyoom=True)
    if feeds == 1 and all(kind in ("level", "counter") for kind in kinds):
        fine = counting.aggday in ONE_POINT_IS_ITSELF
        return Counting(counting.aggday if fine else "last", kyoom=False)
    return None


def outlook(
    goal: clients.GoalWithRoad,
    points: Sequence[clients.Datapoint],
    after: Counting,
    *,
    now: float,
    tz: ZoneInfo,
) -> Outlook:
    """Count a goal both ways; `points` are all of its datapoints, `tz` is its owner's zone."""
    today = days.parse(days.day_of(now, tz, goal.deadline))
    past = [today - timedelta(days=back) for back in range(SHOWN_DAYS - 1, -1, -1)]
    before = Counting(goal.aggday or "", kyoom=goal.kyoom)
    try:
        old = _stands(points, before, odom=goal.odom)
        _check(goal, old)
        new = _stands(points, after, odom=goal.odom)
    except UntoldError as error:
        return Outlook((), goal.curval, None, f"{error}. {BY_HAND}", red_today=False)
    rows = tuple(_row(goal, day, old, new, tz) for day in past)
    yesterday, red_today = rows[-2], rows[-1].red_after
    refused = None
    if yesterday.line is None or yesterday.after is None:
        refused = f"where goal and bright red line were yesterday is not known. {BY_HAND}"
    elif _is_red(goal, yesterday.now, yesterday.line):
        refused = (
            "by what is known here yesterday is red already, which Beeminder does not say. Try "
            f"again once it has drawn the goal anew. {BY_HAND}"
        )
    elif yesterday.red_after:
        refused = (
            "yesterday would be on the wrong side of the bright red line: the goal derails. Link "
            "another goal instead"
        )
    return Outlook(rows, goal.curval, _newest(new), refused, red_today=red_today)


def line_on(
    road: Sequence[tuple[float | None, float | None, float | None]],
    day: date,
    tz: ZoneInfo,
    *,
    yaw: int,
) -> float | None:
    """The bright red line on that day; where it jumps, the stricter of its values.

    A row of `fullroad` is an instant of the day that it stands for, in the owner's zone.
    """
    knots = [
        (datetime.fromtimestamp(at, UTC).astimezone(tz).date(), value)
        for at, value, _ in road
        if at is not None and value is not None
    ]
    if not knots or len(knots) != len(road) or day < knots[0][0]:
        return None
    touching = []
    for (start, low), (end, high) in itertools.pairwise(knots):
        if start <= day <= end:
            share = (day - start).days / (end - start).days if end > start else 0.0
            touching += [low + (high - low) * share] + ([high] if start == end else [])
    if day >= knots[-1][0]:
        touching.append(knots[-1][1])
    return max(touching) if yaw > 0 else min(touching)


def _stands(
    points: Sequence[clients.Datapoint], counting: Counting, *, odom: bool
) -> dict[str, float]:
    """Where a goal with these datapoints stands at the end of each day that has one, in order."""
    if odom and any(point.value == 0 for point in points):
        raise UntoldError("the goal is an odometer that was reset, which is not reckoned here")
    per_day: dict[str, list[float]] = {}
    for point in sorted(points, key=lambda point: (point.daystamp, point.timestamp, point.id)):
        per_day.setdefault(point.daystamp, []).append(point.value)
    each = [_aggregate(counting.aggday, values) for values in per_day.values()]
    return dict(zip(per_day, itertools.accumulate(each) if counting.kyoom else each, strict=True))


def _aggregate(aggday: str, values: Sequence[float]) -> float:
    if len(values) == 1 and aggday in ONE_POINT_IS_ITSELF:
        return values[0]
    if aggday not in AGGREGATES:
        raise UntoldError(f"what Beeminder makes of a day by {aggday!r} is not reckoned here")
    return AGGREGATES[aggday](values)


def _check(goal: clients.GoalWithRoad, old: dict[str, float]) -> None:
    """Is the goal's value what we think it is? Else we know nothing about another way either."""
    if goal.kyoom is None or goal.yaw is None:
        raise UntoldError("Beeminder does not say how the goal counts")
    found = _newest(old)
    if found is None or goal.curval is None:
        raise UntoldError("the goal has no value yet")
    if not math.isclose(found, goal.curval, rel_tol=CLOSE, abs_tol=CLOSE):
        again = ": it is being drawn anew, try again in a minute" if goal.queued else ""
        raise UntoldError(
            f"Beeminder says that the goal is at {goal.curval:.12g}, and its datapoints give "
            f"{found:.12g}{again}"
        )


def _row(
    goal: clients.GoalWithRoad,
    day: date,
    old: dict[str, float],
    new: dict[str, float],
    tz: ZoneInfo,
) -> Row:
    stamp = days.stamp(day)
    line = line_on(goal.fullroad, day, tz, yaw=goal.yaw or 1)
    after = _at(new, stamp)
    return Row(stamp, _at(old, stamp), after, line, red_after=_is_red(goal, after, line))


def _is_red(goal: clients.Goal, value: float | None, line: float | None) -> bool:
    if value is None or line is None:
        return False
    return (goal.yaw or 1) * (value - line) < -CLOSE * max(1.0, abs(value))


def _at(stands: dict[str, float], daystamp: str) -> float | None:
    return next((stands[day] for day in reversed(stands) if day <= daystamp), None)


def _newest(stands: dict[str, float]) -> float | None:
    return next((stands[day] for day in reversed(stands)), None)
