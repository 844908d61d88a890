"""A meter that runs on at the real BEMServer, on a goal that adds up its days."""

import math
import random
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import pairwise

import pytest

from db.engine import Ledger
from simulators.real_bemserver import RealBemserver
from tests.conformance import naive, real_source
from tests.conformance.naive import HOUR, Place

GOAL = "meter"
# The clocks of Paris are changed on the fourth day; the meter is replaced when the seventh begins.
FIRST, DAYS, REPLACED = date(2024, 10, 24), 9, date(2024, 10, 30)
STAMP = f"{FIRST:%Y%m%d}"
PLACES = (Place("Europe/Paris", 3 * HOUR), Place("Asia/Kathmandu", -2 * HOUR))


@pytest.fixture(params=PLACES, ids=lambda place: place.zone)
def place(request: pytest.FixtureRequest) -> Place:
    """Where the meter's owner lives."""
    where: Place = request.param
    return where


@pytest.fixture
def readings(bem: RealBemserver, place: Place) -> Iterator[tuple[int, naive.Samples]]:
    """A series, and what the meter showed; the new one showed nothing yet when it was mounted."""
    rng = random.Random(4711)  # noqa: S311 -- samples that repeat
    shows, replaced, samples = 4711.0, place.edge(REPLACED), []
    for at, _ in naive.irregular(FIRST, DAYS, [place], rng):
        shows = 0.0 if at == replaced else round(shows + rng.uniform(0, 2), 3)
        samples.append((at, shows))
    series = bem.seed.series_id("Spare 06")
    bem.add_samples(series, samples)
    yield series, samples
    bem.delete_samples(series, start=samples[0][0], end=samples[-1][0] + 1)


def used(place: Place, samples: naive.Samples, *, now: float) -> dict[str, float]:
    """What was used on each day: every step of the meter, on the day whose sample first shows it.

    A new meter starts from nothing; while nothing was used today, nothing is said of today.
    """
    days: dict[str, list[float]] = {}
    for (_, before), (at, shows) in pairwise(samples):
        if at <= now and place.day_of(at) >= STAMP:
            step = shows - before if shows >= before else shows
            days.setdefault(place.day_of(at), []).append(step)
    return {day: math.fsum(steps) for day, steps in days.items() if any(steps)}


@pytest.mark.parametrize("aggregation", ["last", "max"])
def test_a_meter_is_sent_as_what_was_used(
    ledger: Ledger,
    bem: RealBemserver,
    place: Place,
    readings: tuple[int, naive.Samples],
    aggregation: str,
) -> None:
    """Read afterwards, then look by look: over a silent day, an hour more, and a new meter."""
    series, samples = readings
    looks = [
        naive.instant(FIRST + timedelta(days=4), 9.3),
        *naive.around(place.edge(FIRST + timedelta(days=number)) for number in (5, 6, 7)),
        place.edge(FIRST + timedelta(days=8)) + 7.7 * HOUR,
    ]
    with real_source.world_of(ledger, bem, place, at=looks[0]) as world:
        params = {"aggregation": aggregation, "counter": True}
        counts = real_source.SUMS
        real_source.feed(
            world, GOAL, place, series=series, counts=counts, params=params, since=STAMP
        )
        rt = real_source.worker(world, lookback=30)
        for now in looks:
            real_source.look(world, rt, [GOAL], at=now)
            wanted = used(place, samples, now=now)
            assert world.values(GOAL) == pytest.approx(wanted, abs=1e-6)
