"""What the datapoints of a goal come to, day by day: `aggday` within a day, `kyoom` over the days.

The names and what they do are those of Beeminder's own graph engine; of its rarer ones some are
missing here.
"""

import itertools
import math
import statistics
from collections.abc import Callable, Mapping, Sequence

from simulators.beeminder_state import Datapoint, Goal

_Values = Sequence[float]


def _of_distinct(values: _Values) -> float:
    return math.fsum(set(values)) / len(set(values))


def _mean(values: _Values) -> float:
    return math.fsum(values) / len(values)


def _any(_values: _Values) -> float:
    return 1.0


def _any_nonzero(values: _Values) -> float:
    return float(any(values))


# Each is only asked about days that have a datapoint.
METHODS: Mapping[str, Callable[[_Values], float]] = {
    "sum": math.fsum,
    "last": lambda values: values[-1],
    "first": lambda values: values[0],
    "min": min,
    "max": max,
    "count": lambda values: float(len(values)),
    "median": statistics.median,
    "mode": statistics.mode,
    # A value that comes twice counts once: the word means that for historical reasons.
    "mean": _of_distinct,
    "uniqmean": _of_distinct,
    "truemean": _mean,
    "average": _mean,
    "binary": _any,
    "unary": _any,
    "jolly": _any,
    "nonzero": _any_nonzero,
    "unaryflat": _any_nonzero,
    "countflat": lambda values: float(sum(value != 0 for value in values)),
    "cap1": lambda values: min(1.0, math.fsum(values)),
    "square": lambda values: math.fsum(values) ** 2,
    "triangle": lambda values: math.fsum(values) * (math.fsum(values) + 1) / 2,
}


def by_day(goal: Goal) -> dict[str, float]:
    """Where the goal stood at the end of each day that has a datapoint, by daystamp, in order.

    ValueError for an `aggday` that is not in `METHODS`.
    """
    if goal.aggday not in METHODS:
        raise ValueError(f"the simulator can't aggregate by {goal.aggday!r}")
    points = sorted(goal.datapoints.values(), key=lambda point: (point.timestamp, point.id))
    values: dict[str, list[float]] = {}
    for point, value in zip(points, _readings(goal, points), strict=True):
        values.setdefault(point.daystamp, []).append(value)
    days = sorted(values)
    each = [METHODS[goal.aggday](values[day]) for day in days]
    return dict(zip(days, itertools.accumulate(each) if goal.kyoom else each, strict=True))


def _readings(goal: Goal, points: Sequence[Datapoint]) -> list[float]:
    """The values; on an odometer goal a zero is a new meter, which goes on where the old stood."""
    if not goal.odom:
        return [point.value for point in points]
    read, before, last = [], 0.0, 0.0
    for point in points:
        if point.value == 0:
            before += last
        last = point.value
        read.append(before + point.value)
    return read
