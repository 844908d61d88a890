"""Aggregation into buckets of the clock, as wrong as the real one when they are multiplied."""

import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

FIXED = {"second": 1, "minute": 60, "hour": 3600}
UNITS = ("second", "minute", "hour", "day", "week", "month", "year")
FUNCTIONS = ("avg", "sum", "min", "max", "count")
_SECOND = 1_000_000


class UncertainMidnight(ValueError):  # noqa: N818 - what the real one answers 500 to
    """A day that begins twice, or at no midnight."""


Points = Sequence[tuple[int, float]]
Bucket = float | int | None


def floor(instant: int, *, unit: str, zone: tzinfo, width: int = 1) -> int:
    """Start (epoch microseconds) of the bucket that holds the instant, by the local clock."""
    moment = datetime.fromtimestamp(instant // _SECOND, zone)
    if unit in FIXED:
        offset = int((moment.utcoffset() or timedelta()).total_seconds())
        size = FIXED[unit] * width
        return ((instant // _SECOND + offset) // size * size - offset) * _SECOND
    day = moment.date()
    if unit == "week":
        day -= timedelta(days=day.weekday())
    elif unit == "month":
        day = day.replace(day=1)
    elif unit == "year":
        day = day.replace(month=1, day=1)
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()) * _SECOND


def following(start: int, *, unit: str, zone: ZoneInfo, width: int = 1) -> int:
    """Start of the next bucket."""
    if unit in FIXED:
        return start + FIXED[unit] * width * _SECOND
    # Longer than any bucket of the unit and shorter than two of them.
    days = {"day": 1.5, "week": 7.5, "month": 31.5, "year": 366.5}[unit]
    return floor(start + int(days * 86_400) * _SECOND, unit=unit, zone=zone)


def grid(start: int, end: int, *, unit: str, zone: ZoneInfo, width: int = 1) -> list[int]:
    """Starts of the buckets that cover [start, end), widened to whole ones, and the last end."""
    if end <= start:
        return []
    if unit == "day":
        return _days(start, end, zone)
    edges = [floor(start, unit=unit, zone=zone, width=width)]
    last = floor(end, unit=unit, zone=zone, width=width)
    if last < end:
        last = following(last, unit=unit, zone=zone, width=width)
    while edges[-1] < last:
        edges.append(following(edges[-1], unit=unit, zone=zone, width=width))
    return edges


def _days(start: int, end: int, zone: ZoneInfo) -> list[int]:
    # The real one counts on from the wall clock of the first day, so a midnight that the clock
    # change leaves out makes all later days wrong when it is the first, and an error otherwise.
    first = datetime.fromtimestamp(floor(start, unit="day", zone=zone) // _SECOND, zone)
    edges: list[int] = []
    while not edges or edges[-1] < end:
        day = (first + timedelta(days=len(edges))).replace(fold=0)
        if day.replace(fold=1).utcoffset() != day.utcoffset():
            raise UncertainMidnight(day.isoformat())
        edges.append(int(day.timestamp()) * _SECOND)
    return edges


def aggregate(function: str, values: Sequence[float]) -> Bucket:
    """None for an empty bucket, 0 when counting."""
    if function == "count":
        return len(values)
    if not values:
        return None
    if function == "min":
        return min(values)
    if function == "max":
        return max(values)
    total = sum(values)
    return total if function == "sum" else total / len(values)


def reindexed(
    edges: Sequence[int], points: Points, function: str, *, unit: str, zone: tzinfo
) -> dict[int, Bucket]:
    """Buckets as the database makes them in `zone`; those that start between edges are lost."""
    grouped: dict[int, list[float]] = {}
    for at, value in points:
        grouped.setdefault(floor(at, unit=unit, zone=zone), []).append(value)
    return {start: aggregate(function, grouped.get(start, ())) for start in edges[:-1]}


def buckets(edges: Sequence[int], points: Points, function: str) -> dict[int, Bucket]:
    """One value for each bucket between the edges."""
    found: dict[int, Bucket] = {}
    position = 0
    for start, end in itertools.pairwise(edges):
        values = []
        while position < len(points) and points[position][0] < end:
            if points[position][0] >= start:
                values.append(points[position][1])
            position += 1
        found[start] = aggregate(function, values)
    return found


def multiplied(
    edges: Sequence[int],
    columns: Sequence[Points],
    function: str,
    *,
    unit: str,
    width: int,
    zone: ZoneInfo,
) -> list[dict[int, Bucket]]:
    """Buckets of several units, as wrong as the real ones.

    Values are aggregated per single unit first, then again into buckets counted from the midnight
    before the first sample of any series; buckets that do not start on the asked grid are lost.
    """
    singles = []
    for points in columns:
        starts = sorted({floor(at, unit=unit, zone=zone) for at, _ in points})
        ends = [*starts, following(starts[-1], unit=unit, zone=zone)] if starts else []
        singles.append(buckets(ends, points, function))
    firsts = [min(found) for found in singles if found]
    if not firsts:
        return [dict.fromkeys(edges[:-1], aggregate(function, ())) for _ in columns]
    origin = floor(min(firsts), unit="day", zone=zone)
    last = max(max(found) for found in singles if found)
    size = FIXED[unit] * width * _SECOND
    found = []
    for single in singles:
        grouped: dict[int, list[float]] = {}
        for at, value in single.items():
            start = origin + (at - origin) // size * size
            grouped.setdefault(start, []).append(value or 0)
        row: dict[int, Bucket] = {}
        for start in edges[:-1]:
            on_grid = start in grouped
            within = origin <= start <= last and (start - origin) % size == 0
            if on_grid:
                again = "sum" if function == "count" else function
                row[start] = aggregate(again, grouped[start])
            elif function == "count":
                row[start] = 0
            else:
                row[start] = 0.0 if function == "sum" and within and min(firsts) < start else None
        found.append(row)
    return found
