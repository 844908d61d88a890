"""Samples around the edges of days, and what their days come to: `zoneinfo`, nothing of ours.

A Beeminder day is the local date of (instant - deadline). That is one line, so it can be asked of
each sample by itself, without a thought of where a day starts or how long it lasts.
"""

import random
import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

HOUR = 3600
Samples = list[tuple[float, float]]
"""(UTC seconds, value), in the order of time."""

FUNCTIONS: dict[str, Callable[[Sequence[float]], float]] = {
    "sum": sum,
    "avg": statistics.fmean,
    "max": max,
    "last": lambda values: values[-1],
    "count": len,
}


class Place(NamedTuple):
    """Where a person is, and when their days end: seconds after local midnight, or before it."""

    zone: str
    deadline: int

    def day_of(self, at: float) -> str:
        """The daystamp that this instant counts for."""
        return f"{datetime.fromtimestamp(at - self.deadline, ZoneInfo(self.zone)):%Y%m%d}"

    def edge(self, day: date) -> float:
        """The instant at which this day starts; for zones that change their clocks at night."""
        midnight = datetime.combine(day, time(), ZoneInfo(self.zone))
        return midnight.timestamp() + self.deadline

    def values(
        self, samples: Samples, aggregation: str, *, since: str, now: float
    ) -> dict[str, float]:
        """What each day from `since` on comes to at `now`; a day without samples is left out."""
        days: dict[str, list[float]] = {}
        for at, value in samples:
            if at <= now and self.day_of(at) >= since:
                days.setdefault(self.day_of(at), []).append(value)
        return {day: FUNCTIONS[aggregation](values) for day, values in days.items()}


def dates(first: date, count: int) -> list[date]:
    """So many days from the first on."""
    return [first + timedelta(days=number) for number in range(count)]


def instant(day: date, hours: float = 0.0) -> float:
    """UTC seconds of so many hours after this date began in UTC."""
    return datetime.combine(day, time(), UTC).timestamp() + hours * HOUR


def around(edges: Iterable[float]) -> Iterator[float]:
    """One second before each edge, exactly on it, one second after."""
    for edge in edges:
        yield from (edge - 1, edge, edge + 1)


def irregular(first: date, count: int, places: Iterable[Place], rng: random.Random) -> Samples:
    """Hours, milliseconds and the edges of days, for so many days; on the second nearly nothing.

    The silence is longer than any day of any of the places. No two values are equal, and those at
    the edges are the largest: one that counts for the wrong day shows, also in a maximum.
    """
    edges = {at for place in places for at in around(map(place.edge, dates(first, count)))}
    start, end = instant(first, -24), instant(first, 24 * count)
    ordinary = {start + HOUR * number for number in range((count + 1) * 24)}
    ordinary |= {round(rng.uniform(start, end), 3) for _ in range(count * 5)}
    silent, loud = instant(first, 24 - 8), instant(first, 48 + 10)
    return [
        (at, round(rng.uniform(1000, 2000) if at in edges else rng.uniform(1, 1000), 6))
        for at in sorted(edges | ordinary)
        if not silent < at < loud
    ]
