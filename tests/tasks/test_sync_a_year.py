"""A replay of a year: hourly data, both changes of the clock, outages, late data, moved deadlines.

What Beeminder holds at the end is compared with a computation that knows nothing of ours: it walks
over the samples and asks the zone for the local time of each.
"""

import random
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from db.engine import Ledger
from db.models_points import Datapoint
from tests.tasks.measured import with_options
from tests.tasks.scenes import all_rows, change_feed
from tests.world import DAY, World

HOUR = 3600.0
FIRST = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
DAYS = 365
SINCE = "20260103"
LATE_AT_MOST = 18 * HOUR  # so that the look-back sees it, however far apart the syncs are
OUTAGES = (40.0, 84.0, 86.0, 140.0, 250.0, 297.0)  # days of the year on which one begins


@pytest.fixture
def world(sqlite_url: str) -> Iterator[World]:
    """The world on SQLite alone: a year takes its time, and other tests run on both ledgers."""
    ledger = Ledger(sqlite_url)
    with World(ledger, at=FIRST + 2.5 * DAY) as made:
        yield made
    ledger.close()


@dataclass(frozen=True, slots=True)
class Year:
    """What the meter gave, when each sample was there to be read, and which deadline held when.

    Samples are UTC seconds to value, `known` UTC seconds to UTC seconds. Deadlines (seconds after
    midnight) hold from an instant on, the oldest first.
    """

    zone: str
    samples: dict[float, float]
    known: dict[float, float]
    deadlines: tuple[tuple[float, int], ...]
    outages: tuple[tuple[float, float], ...]

    def naive(self, until: float) -> dict[str, float]:
        """Each sample on the local date of its instant less the deadline of then, added up."""
        zone = ZoneInfo(self.zone)
        days: defaultdict[str, float] = defaultdict(float)
        for at, value in self.samples.items():
            if at <= until:
                deadline = [seconds for since, seconds in self.deadlines if since <= at][-1]
                days[f"{datetime.fromtimestamp(at - deadline, zone):%Y%m%d}"] += value
        return {day: round(value, 6) for day, value in days.items() if day >= SINCE}

    def visits(
        self, rng: random.Random, gaps: tuple[float, float]
    ) -> list[tuple[float, int | None]]:
        """When somebody looks (hours apart), and which deadline is set at that moment, if one is.

        During an outage nobody does. Nor does anybody know later when a deadline was moved, so
        there is a look before that.
        """
        found: list[tuple[float, int | None]] = list(self.deadlines[1:])
        found += [(moved - HOUR, None) for moved, _ in self.deadlines[1:]]
        at = FIRST + 2.5 * DAY
        while at < FIRST + (DAYS - 1) * DAY:
            if not any(begins <= at < ends for begins, ends in self.outages):
                found.append((at, None))
            at += rng.uniform(*gaps) * HOUR
        return sorted(found)


def noon(zone: str, month: int, day: int) -> float:
    """Noon of this date there: every deadline in use agrees on what day it is."""
    return datetime(2026, month, day, 12, tzinfo=ZoneInfo(zone)).timestamp()


def a_year(zone: str, deadline: int, rng: random.Random) -> Year:
    """Most hours have a value, a dozen days have none; the deadline is another one in summer."""
    moved = -2 * 3600 if deadline > 0 else 3 * 3600
    outages = tuple(
        (FIRST + day * DAY, FIRST + (day + rng.uniform(0.7, 6)) * DAY) for day in OUTAGES
    )
    empty = {rng.randrange(DAYS) for _ in range(12)}
    samples = {
        FIRST + number * HOUR: rng.randint(1, 999) / 100
        for number in range(DAYS * 24)
        if number // 24 not in empty and rng.random() > 0.02
    }
    known = {}
    for at in samples:
        steady = not any(begins - 5 * DAY < at < ends for begins, ends in outages)
        steady = steady and at < FIRST + (DAYS - 8) * DAY
        known[at] = at + (rng.uniform(0, LATE_AT_MOST) if steady and rng.random() < 0.05 else 0)
    return Year(
        zone=zone,
        samples=samples,
        known=known,
        deadlines=((0.0, deadline), (noon(zone, 6, 21), moved), (noon(zone, 9, 9), deadline)),
        outages=outages,
    )


def live(
    world: World, year: Year, visits: Iterable[tuple[float, int | None]], *, lookback: int
) -> None:
    """Walk through the year: time passes, samples come in, a deadline moves, somebody asks."""
    waiting = sorted(year.samples, key=lambda at: year.known[at], reverse=True)
    rt = with_options(world, lookback_days=lookback)
    for now, deadline in visits:
        world.clock.at = now
        if deadline is not None:
            world.beeminder.state.change_goal("alice", "energy", deadline=deadline)
        heard = {}
        while waiting and year.known[waiting[-1]] <= now:
            at = waiting.pop()
            heard[at] = year.samples[at]
        world.measure(world.series, heard)
        world.call_back()
        world.work(rt)


@pytest.mark.parametrize(
    ("zone", "deadline", "gaps", "lookback"),
    [
        ("Europe/Paris", 3 * 3600, (20.0, 29.0), 2),
        ("America/St_Johns", 3 * 3600, (90.0, 115.0), 6),
        ("Australia/Lord_Howe", -2 * 3600, (90.0, 115.0), 6),
    ],
)
def test_a_year_is_what_the_meter_gave(
    world: World, zone: str, deadline: int, gaps: tuple[float, float], lookback: int
) -> None:
    """Every day at Beeminder equals the naive sum of its hours; nothing is held or pending."""
    rng = random.Random(2026)  # noqa: S311 -- a year that repeats
    year = a_year(zone, deadline, rng)
    world.beeminder.state.change_user("alice", timezone=zone)
    world.beeminder.state.change_goal("alice", "energy", deadline=deadline)
    world.bemserver.state.set_values(world.series, [], data_state="Clean", replace=True)
    change_feed(world, since=SINCE)

    live(world, year, year.visits(rng, gaps), lookback=lookback)

    expected = year.naive(world.clock.at)
    assert {day: round(value, 6) for day, value in world.values().items()} == expected
    assert len(world.points()) == len(expected) > DAYS - 30
    assert {row.state for row in all_rows(world, Datapoint)} == {"landed"}
