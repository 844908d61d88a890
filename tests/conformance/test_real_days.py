"""Days with deadlines, from the real BEMServer through the whole of Waggle onto a goal."""

import random
from collections.abc import Iterator
from datetime import date, timedelta

import pytest

from db.engine import Ledger
from simulators.real_bemserver import RealBemserver
from tests.conformance import naive, real_source
from tests.conformance.naive import FUNCTIONS, HOUR, Place
from tests.world import World

# Years that are over: the sessions of the server run on the real clock, and last until today.
SPRING, AUTUMN = date(2025, 3, 27), date(2025, 10, 23)
NEWFOUNDLAND_SPRING, NEWFOUNDLAND_AUTUMN = date(2025, 3, 6), date(2025, 10, 30)
DEADLINES = (-2 * HOUR, 0, 3 * HOUR)
# On the fourth day of each, but for Kathmandu, the clocks are changed.
WEEKS = (
    ("Europe/Paris", SPRING),
    ("Europe/Paris", AUTUMN),
    ("America/St_Johns", NEWFOUNDLAND_SPRING),
    ("America/St_Johns", NEWFOUNDLAND_AUTUMN),
    ("Asia/Kathmandu", SPRING),
)
DAYS = 7
TOTALS = ("sum", "count")

each_week = pytest.mark.parametrize(("zone", "first"), WEEKS)
each_deadline = pytest.mark.parametrize("deadline", DEADLINES)


@pytest.fixture(scope="module")
def measured(bem: RealBemserver) -> Iterator[tuple[int, naive.Samples]]:
    """A series of the server, and the samples that it holds of all of these weeks."""
    rng = random.Random(1403)  # noqa: S311 -- samples that repeat
    series = bem.seed.series_id("Spare 04")
    samples: naive.Samples = []
    for first in sorted({first for _, first in WEEKS}):
        places = [Place(zone, at) for zone, week in WEEKS if week == first for at in DEADLINES]
        samples += naive.irregular(first, DAYS, places, rng)
    bem.add_samples(series, samples)
    yield series, samples
    bem.delete_samples(series, start=samples[0][0], end=samples[-1][0] + 1)


def link_all(world: World, place: Place, series: int, *, first: date) -> None:
    """One goal for each aggregation."""
    for aggregation in FUNCTIONS:
        real_source.feed(
            world,
            aggregation,
            place,
            series=series,
            counts=real_source.SUMS if aggregation in TOTALS else real_source.STANDS,
            params={"aggregation": aggregation},
            since=f"{first:%Y%m%d}",
            # An average falls while its day runs on: that is no correction of this test's.
            options={"corrections": "always"},
        )


def shown(world: World) -> dict[str, dict[str, float]]:
    """What each goal shows."""
    return {aggregation: world.values(aggregation) for aggregation in FUNCTIONS}


def expected(
    place: Place, samples: naive.Samples, *, first: date, now: float
) -> dict[str, dict[str, object]]:
    """What each goal has to show."""
    since = f"{first:%Y%m%d}"
    days = {name: place.values(samples, name, since=since, now=now) for name in FUNCTIONS}
    return {
        name: {day: pytest.approx(value, rel=1e-9) for day, value in values.items()}
        for name, values in days.items()
    }


@each_deadline
@each_week
def test_days_that_are_read_afterwards(
    ledger: Ledger,
    bem: RealBemserver,
    measured: tuple[int, naive.Samples],
    zone: str,
    first: date,
    deadline: int,
) -> None:
    """In one look, across a change of clocks: each day is made of its own samples and no other."""
    series, samples = measured
    place = Place(zone, deadline)
    now = naive.instant(first + timedelta(days=5), 14.127)
    with real_source.world_of(ledger, bem, place, at=now) as world:
        link_all(world, place, series, first=first)
        world.work(real_source.worker(world, lookback=30))
        assert shown(world) == expected(place, samples, first=first, now=now)


@each_deadline
@each_week
def test_days_that_are_read_while_they_run(
    ledger: Ledger,
    bem: RealBemserver,
    measured: tuple[int, naive.Samples],
    zone: str,
    first: date,
    deadline: int,
) -> None:
    """Look by look, around each edge of the longest and shortest days: never a sample of another's.

    What the server holds of the future is there all the time, and counts for nothing.
    """
    series, samples = measured
    place = Place(zone, deadline)
    edges = [place.edge(day) for day in naive.dates(first + timedelta(days=3), 2)]
    looks = [at for edge in edges for at in (*naive.around([edge]), edge + 5.3 * HOUR)]
    with real_source.world_of(ledger, bem, place, at=looks[0]) as world:
        link_all(world, place, series, first=first + timedelta(days=2))
        rt = real_source.worker(world)
        for now in looks:
            real_source.look(world, rt, FUNCTIONS, at=now)
            wanted = expected(place, samples, first=first + timedelta(days=2), now=now)
            assert shown(world) == wanted, f"at {now - looks[1]:+.0f} s of the first edge"
