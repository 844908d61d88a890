"""What the real BEMServer says late of a day that is over, and what becomes of it on the goal."""

from collections.abc import Iterator
from datetime import date

import pytest

from db.engine import Ledger
from db.models import Notice
from simulators.real_bemserver import RealBemserver
from tests.conformance import real_source
from tests.conformance.naive import HOUR, Place
from tests.tasks.measured import ours, point, row
from tests.tasks.scenes import all_rows
from tests.world import World

GOAL = "air"
YESTERDAY, TODAY = date(2025, 6, 11), date(2025, 6, 12)
STAMP = f"{YESTERDAY:%Y%m%d}"
PLACE = Place("Europe/Paris", 3 * HOUR)
MIDDAY = PLACE.edge(TODAY) + 9 * HOUR
# Yesterday, hour by hour, and its last second: one and a half in all but that.
HOURS = [(PLACE.edge(YESTERDAY) + hour * HOUR, 0.0625) for hour in range(24)]
LAST = PLACE.edge(TODAY) - 1
LATER = [(PLACE.edge(TODAY), 5.0), (PLACE.edge(TODAY) + HOUR, 0.5)]


@pytest.fixture
def series(bem: RealBemserver) -> Iterator[int]:
    """A series that says 2.5 of yesterday and 5.5 of today."""
    spare = bem.seed.series_id("Spare 05")
    bem.add_samples(spare, [*HOURS, (LAST, 1.0), *LATER])
    yield spare
    bem.delete_samples(spare, start=HOURS[0][0], end=LATER[-1][0] + 1)


@pytest.fixture
def world(ledger: Ledger, bem: RealBemserver) -> Iterator[World]:
    """Midday in Paris."""
    with real_source.world_of(ledger, bem, PLACE, at=MIDDAY) as made:
        yield made


def begin(world: World, series: int, *, yaw: int = 1) -> None:
    """Yesterday is on the goal, and so is today."""
    counts, params = {**real_source.SUMS, "yaw": yaw}, {"aggregation": "sum"}
    real_source.feed(world, GOAL, PLACE, series=series, counts=counts, params=params, since=STAMP)
    world.work()
    assert world.values(GOAL) == {STAMP: 2.5, f"{TODAY:%Y%m%d}": 5.5}


def look(world: World) -> None:
    """A quarter of an hour later somebody asks."""
    world.clock.advance(900)
    real_source.look(world, world.runtime(), [GOAL], at=world.clock.at)


def held(world: World) -> int:
    """How many notices of something kept back are open."""
    return sum(n.kind == "held" and n.cleared_at is None for n in all_rows(world, Notice))


@pytest.mark.parametrize(
    ("yaw", "instead", "sent"), [(1, 3.0, True), (1, 0.5, False), (-1, 0.5, True), (-1, 3.0, False)]
)
def test_a_sample_of_yesterday_is_corrected(
    world: World, bem: RealBemserver, series: int, yaw: int, instead: float, *, sent: bool
) -> None:
    """For the better: the same point has the new value. For the worse: a person is asked first."""
    begin(world, series, yaw=yaw)
    before, writes = point(world, STAMP, GOAL).id, ours(world)
    bem.add_samples(series, [(LAST, instead)], replace=True)

    look(world)
    look(world)

    now = point(world, STAMP, GOAL)
    assert (now.id, now.value) == (before, 1.5 + instead if sent else 2.5)
    kept = row(world, STAMP)
    assert (kept.value, kept.state) == (1.5 + instead, "landed" if sent else "held")
    assert (ours(world) - writes, held(world)) == ((1, 0) if sent else (0, 1))


def test_a_correction_that_is_taken_back_at_the_server_is_no_question_any_more(
    world: World, bem: RealBemserver, series: int
) -> None:
    """Nothing was written, so there is nothing to write back."""
    begin(world, series)
    writes = ours(world)
    for value, waiting in ((0.5, 1), (1.0, 0)):
        bem.add_samples(series, [(LAST, value)], replace=True)
        look(world)
        assert held(world) == waiting
    assert ours(world) == writes


def test_a_sample_that_comes_late_counts_for_the_day_it_was_measured_on(
    world: World, bem: RealBemserver, series: int
) -> None:
    """Half a second before today began: yesterday's, and today stays as it was."""
    begin(world, series)
    bem.add_samples(series, [(LAST + 0.5, 4.0)])
    look(world)
    assert world.values(GOAL) == {STAMP: 6.5, f"{TODAY:%Y%m%d}": 5.5}


def test_a_yesterday_that_vanishes_at_the_server_stays_on_the_goal(
    world: World, bem: RealBemserver, series: int
) -> None:
    """No samples are no zero, whatever was there before."""
    begin(world, series)
    writes = ours(world)
    bem.delete_samples(series, start=HOURS[0][0], end=LAST + 1)
    look(world)
    assert world.values(GOAL) == {STAMP: 2.5, f"{TODAY:%Y%m%d}": 5.5}
    assert (ours(world), row(world, STAMP).state) == (writes, "landed")
