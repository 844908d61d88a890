"""The deadline guard over whole weeks, with changes of the clock in them."""

import functools
import itertools
import random
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.states import Lane
from tasks import days, guard
from tasks.corrections import COMPLETED_SECONDS
from tasks.days import Window
from tasks.guard import Next

HOUR = 3600.0
DEADLINES = (-2 * 3600, 0, 3 * 3600)
WEEKS = [
    ("Europe/Paris", date(2026, 3, 26)),  # an hour is skipped on the 29th
    ("Europe/Paris", date(2026, 10, 22)),  # one comes twice on the 25th
    ("America/St_Johns", date(2026, 3, 5)),  # on the 8th
    ("America/St_Johns", date(2026, 10, 29)),  # on November 1st
]


@functools.cache
def day_window(day: date, zone: str, deadline: int) -> Window:
    """One Beeminder day."""
    return days.window(day, days.zone(zone), deadline)


@dataclass(frozen=True)
class Week:
    """Seven days of a goal; `red` are those (0 to 6) at whose end it would derail."""

    zone: str
    first: date
    deadline: int
    red: Collection[int]
    seconds_short: int = 1  # Beeminder's losedate is the day's last second, or its end

    def window(self, number: int) -> Window:
        """The day of this number; also before and after the week."""
        return day_window(self.first + timedelta(days=number), self.zone, self.deadline)

    def around(self, now: float) -> tuple[Window, Window]:
        """Today and the day after it."""
        number = next(n for n in itertools.count() if now < self.window(n).ends_at)
        return self.window(number), self.window(number + 1)

    def losedate(self, now: float) -> int:
        """The end of the first red day that is not over, as Beeminder tells it."""
        ends = [self.window(number).ends_at for number in sorted(self.red)]
        end = next((end for end in ends if end > now), self.window(20).ends_at)
        return int(end) - self.seconds_short

    def guarded(self) -> Counter[float]:
        """Every instant at which a sync has to be."""
        return Counter(
            self.window(number).ends_at + seconds
            for number in self.red
            for seconds in (-3600, -900, -180, 60)
        )

    def live(self, every: float, rng: random.Random, *, slowest: float = 2.0) -> Iterator[Next]:
        """The syncs from the start of the first day to the end of the day after the last."""
        now = self.window(0).starts_at + 1.0
        while now < self.window(7).ends_at:
            today, following = self.around(now)
            losedate = self.losedate(now)
            after = guard.next_sync(
                now,
                scheduled=now + every * rng.uniform(0.95, 1.0),
                today=today,
                following=following,
                losedate=losedate,
                safebuf=0 if losedate <= today.ends_at else 3,
                rng=rng,
            )
            assert after.at > now
            yield after
            now = after.at + rng.uniform(0.0, slowest)


weeks = st.builds(
    lambda zone_and_first, **more: Week(*zone_and_first, **more),
    st.sampled_from(WEEKS),
    deadline=st.sampled_from(DEADLINES),
    red=st.sets(st.integers(0, 6)),
    seconds_short=st.sampled_from([0, 1]),
)
everies = st.floats(1800, 30 * 86400)
rngs = st.integers(0, 9999).map(random.Random)


@given(week=weeks, every=everies, rng=rngs)
def test_red_days_are_guarded_and_no_others(week: Week, every: float, rng: random.Random) -> None:
    """60, 15 and 3 minutes before each red deadline and 1 after: none missing, none twice."""
    instants = {
        week.window(number).ends_at + seconds
        for number in range(8)
        for seconds in (-3600, -900, -180, 60)
    }
    found = list(week.live(every, rng))

    assert Counter(after.at for after in found if after.at in instants) == week.guarded()
    assert all(after.lane == Lane.URGENT for after in found if after.at in instants)


@given(week=weeks, every=everies, rng=rngs)
def test_every_day_gets_its_last_look(week: Week, every: float, rng: random.Random) -> None:
    """Whatever the schedule says, each day is read between one and four minutes before it ends."""
    found = [after.at for after in week.live(every, rng)]

    for number in range(7):
        end = week.window(number).ends_at
        assert any(end - 240 <= at <= end - 60 for at in found), number


@given(week=weeks, every=everies, rng=rngs)
def test_every_day_is_completed_soon(week: Week, every: float, rng: random.Random) -> None:
    """Each day is read again while what it still gains is not a correction yet."""
    found = [after.at for after in week.live(every, rng)]

    for number in range(7):
        end = week.window(number).ends_at
        assert any(end <= at <= end + COMPLETED_SECONDS - 60 for at in found), number


@given(week=weeks, every=everies, rng=rngs)
def test_the_guard_adds_little(week: Week, every: float, rng: random.Random) -> None:
    """At most four syncs more on a red day and two on another; the schedule is never stretched."""
    found = [after.at for after in week.live(every, rng)]
    hours = (week.window(7).ends_at - week.window(0).starts_at) / HOUR

    assert len(found) <= hours * HOUR / (every * 0.95) + 4 * len(week.red) + 2 * 8 + 1
    gaps = [later - at for at, later in itertools.pairwise(found)]
    assert max(gaps, default=0.0) <= min(every + 2.0 + guard.NEAR, 26 * HOUR)


@given(week=weeks, every=everies, rng=rngs)
def test_only_the_hours_around_a_red_deadline_are_urgent(
    week: Week, every: float, rng: random.Random
) -> None:
    """Scheduled work stays on bulk; from two hours before a red deadline it may not wait there."""
    ends = [week.window(number).ends_at for number in week.red]

    for after in week.live(every, rng):
        close = any(end - 7200 <= after.at <= end + 60 for end in ends)
        assert after.lane == (Lane.URGENT if close else Lane.BULK)


@given(
    week=weeks,
    every=everies,
    rng=rngs,
    calls=st.lists(st.floats(0, 8 * 86400), max_size=40),
)
def test_callbacks_between_take_no_instant_away(
    week: Week, every: float, rng: random.Random, calls: list[float]
) -> None:
    """Syncs at any other times leave every guarded instant where it is."""
    start = week.window(0).starts_at
    asked = sorted(start + 1.0 + seconds for seconds in calls)
    now, found = start + 1.0, Counter[float]()
    while now < week.window(7).ends_at:
        today, following = week.around(now)
        # Beeminder has not worked out anew what was red a minute ago.
        losedate = week.losedate(now - 60)
        after = guard.next_sync(
            now,
            scheduled=now + every,
            today=today,
            following=following,
            losedate=losedate,
            safebuf=None,
            rng=rng,
        )
        while asked and asked[0] <= now:
            asked.pop(0)
        called = asked and asked[0] < after.at
        now = asked.pop(0) if called else after.at
        if not called and now in week.guarded():
            found[now] += 1

    assert found == week.guarded()


@pytest.mark.parametrize("deadline", DEADLINES)
@pytest.mark.parametrize(("zone", "first"), WEEKS)
def test_a_week_by_the_clock_on_the_wall(zone: str, first: date, deadline: int) -> None:
    """Read off the local clock: three minutes to the deadline, but on the day the clock changes."""
    week = Week(zone, first, deadline, red=range(7))
    tz = days.zone(zone)
    found = [
        datetime.fromtimestamp(after.at, tz)
        for after in week.live(86400.0, random.Random(1))  # noqa: S311 -- jitter that repeats
    ]

    hours, rest = divmod((deadline - 180) % 86400, 3600)
    wall = (hours, rest // 60)
    assert sum((at.hour, at.minute, at.second) == (*wall, 0) for at in found) >= 6


def test_a_feed_that_is_synced_seldom_learns_of_a_red_day_in_time() -> None:
    """Synced every month, red in five days: seen at the last look of each day, and guarded."""
    week = Week("Europe/Paris", date(2026, 6, 1), 0, red=[5])
    found = list(week.live(30 * 86400.0, random.Random(1)))  # noqa: S311 -- jitter that repeats

    assert Counter(after.at for after in found if after.lane == Lane.URGENT) == week.guarded()


NOW = datetime(2026, 6, 3, 12, 0, tzinfo=UTC).timestamp()
TODAY = Window("20260603", NOW - 12 * HOUR, NOW + 12 * HOUR)
TOMORROW = Window("20260604", TODAY.ends_at, TODAY.ends_at + 24 * HOUR)


def after(now: float, **facts: int | None) -> Next:
    """What follows a sync of a feed that is synced every two days."""
    return guard.next_sync(
        now,
        scheduled=now + 48 * HOUR,
        today=TODAY,
        following=TOMORROW,
        losedate=facts.get("losedate"),
        safebuf=facts.get("safebuf"),
        rng=random.Random(1),  # noqa: S311 -- jitter that repeats
    )


@pytest.mark.parametrize(
    "facts",
    [
        {"safebuf": 0},
        {"safebuf": -1},
        {"losedate": int(TODAY.ends_at)},
        {"losedate": int(TODAY.ends_at) - 1},
        {"losedate": int(TODAY.ends_at) + 59, "safebuf": 1},
    ],
)
def test_what_makes_today_red(facts: dict[str, int]) -> None:
    """No buffer, or a losedate that is the day's last second or its very end."""
    assert after(NOW, **facts) == Next(TODAY.ends_at - 3600, Lane.URGENT)


@pytest.mark.parametrize("facts", [{}, {"safebuf": 1}, {"losedate": int(TOMORROW.ends_at)}])
def test_what_does_not_make_today_red(facts: dict[str, int]) -> None:
    """Unknown facts, a day of buffer, the end of tomorrow: today gets its last look alone."""
    found = after(NOW, **facts)

    assert TODAY.ends_at - 240 <= found.at <= TODAY.ends_at - 60
    assert found.lane == Lane.BULK


def test_the_minute_after_is_kept_when_somebody_calls_within_it() -> None:
    """A callback ten seconds after the deadline: the look of the first minute is still to come."""
    end = TODAY.starts_at
    found = after(end + 10, losedate=int(end) - 1, safebuf=3)

    assert found == Next(end + 60, Lane.URGENT)


def test_a_schedule_just_before_the_guard_waits_for_it() -> None:
    """Due thirty seconds before a guarded instant: one sync at that instant, not two."""
    end = TODAY.ends_at
    found = guard.next_sync(
        end - 1200,
        scheduled=end - 930,
        today=TODAY,
        following=TOMORROW,
        losedate=int(end),
        safebuf=0,
        rng=random.Random(1),  # noqa: S311 -- jitter that repeats
    )

    assert found == Next(end - 900, Lane.URGENT)
