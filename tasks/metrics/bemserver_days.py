"""From samples or hours of a series to one number per Beeminder day. Pure."""

import math
from collections.abc import Mapping, Sequence
from typing import Literal

from tasks.days import Window

Aggregation = Literal["sum", "avg", "min", "max", "count", "last"]
Samples = Sequence[tuple[float, float]]
Hours = Sequence[tuple[float, float | None]]


def of_samples(
    aggregation: Aggregation, days: Sequence[Window], samples: Samples, now: float
) -> dict[str, float | None]:
    """Raw (UTC seconds, value) pairs, put together per day; None for a day without any."""
    return {
        day.daystamp: combine(aggregation, [value for at, value in samples if counts(at, day, now)])
        for day in days
    }


def of_hours(
    aggregation: Aggregation, days: Sequence[Window], hours: Mapping[str, Hours], now: float
) -> dict[str, float | None]:
    """Hours of width one by the server's aggregation, put together per day.

    An hour without samples is null, or 0 where samples are counted. An average is made of `sum`
    and `count`: the mean of hourly means is not the mean of the samples.
    """
    values: dict[str, float | None] = {}
    for day in days:
        found = {
            name: [value for at, value in series if value is not None and counts(at, day, now)]
            for name, series in hours.items()
        }
        if aggregation == "avg":
            count = math.fsum(found["count"])
            values[day.daystamp] = math.fsum(found["sum"]) / count if count else None
        elif aggregation == "count":
            values[day.daystamp] = math.fsum(found["count"]) or None
        else:
            values[day.daystamp] = combine(aggregation, found[aggregation])
    return values


def with_samples(name: str, hours: Hours, samples: Samples) -> list[tuple[float, float | None]]:
    """Hours of one server-side aggregation, followed by samples as if each were an hour."""
    return [*hours, *((at, 1.0 if name == "count" else value) for at, value in samples)]


def counts(at: float, day: Window, now: float) -> bool:
    """Is a sample of this day? Samples of the future (forecasts) are not what happened."""
    return day.starts_at <= at < day.ends_at and at <= now


def combine(aggregation: Aggregation, values: Sequence[float]) -> float | None:
    """One number of many; None of none: nothing was measured."""
    if not values:
        return None
    if aggregation == "sum":
        return math.fsum(values)
    if aggregation == "avg":
        return math.fsum(values) / len(values)
    if aggregation == "count":
        return float(len(values))
    if aggregation == "last":
        return values[-1]
    return min(values) if aggregation == "min" else max(values)
