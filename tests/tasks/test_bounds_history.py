"""Days stay where they were counted, whatever people do with zones and deadlines."""

import itertools
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from tasks import days
from tests.tasks.places import BAKER, DAY, HONOLULU, HOUR, KIRITIMATI, TOKYO, UTC_ZONE, Place

EARLIEST, LATEST = days.EARLIEST_DEADLINE, days.LATEST_DEADLINE
ZONES = (
    UTC_ZONE,
    TOKYO,
    HONOLULU,
    KIRITIMATI,
    BAKER,
    ZoneInfo("Pacific/Apia"),  # skipped 2011-12-30
    ZoneInfo("Europe/Paris"),
    ZoneInfo("America/St_Johns"),
    ZoneInfo("Asia/Kathmandu"),
    ZoneInfo("Africa/Cairo"),
)
deadlines = st.sampled_from((0, EARLIEST, LATEST)) | st.integers(EARLIEST, LATEST)
beginnings = st.sampled_from(
    (
        datetime(2026, 11, 20, tzinfo=UTC),
        datetime(2026, 3, 27, tzinfo=UTC),
        datetime(2011, 12, 28, tzinfo=UTC),
    )
).map(datetime.timestamp)
moves = st.tuples(st.sampled_from(ZONES), deadlines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What happens next: time passes, perhaps a person moves, then days are read."""

    after: float
    move: tuple[ZoneInfo, int] | None
    lookback: int
    backfill: tuple[int, int] | None  # so many days before today, and how many

    def play(self, feed: Place, now: float) -> dict[str, tuple[float, float]]:
        """Do it; the bounds of what a sync read."""
        if self.move is not None:
            feed.tz, feed.deadline = self.move
        found = feed.read(now, lookback=self.lookback)
        if self.backfill is not None:
            back, count = self.backfill
            today = days.parse(feed.today(now))
            first = today - back * days.ONE_DAY
            last = min(today, first + count * days.ONE_DAY)
            feed.backfill(days.stamp(first), days.stamp(last), now)
        return found


steps = st.builds(
    Step,
    after=st.sampled_from((1.0, 600.0, HOUR, 5 * HOUR, 11.5 * HOUR, DAY, 2.5 * DAY, 9 * DAY))
    | st.floats(0.001, 3 * DAY),
    move=st.none() | moves,
    lookback=st.integers(0, 3),
    backfill=st.none() | st.tuples(st.integers(0, 12), st.integers(0, 5)),
)


@settings(max_examples=300, deadline=None)
@given(began=beginnings, history=st.lists(steps, min_size=2, max_size=12))
def test_what_was_counted_stays_where_it_was_counted(began: float, history: list[Step]) -> None:
    """After any moves: stored days tile, and no instant that was counted changes its day."""
    feed, now = Place(), began
    for step in history:
        now += step.after
        found = step.play(feed, now)

        last = list(found.values())[-1]
        assert last[0] <= now < last[1], "the last day read is today"
        for (_, end), (start, later) in itertools.pairwise(found.values()):
            assert end == start <= later
        stored = [feed.known[name].window for name in sorted(feed.known)]
        for one, next_one in itertools.pairwise(stored):
            assert one.starts_at <= one.ends_at <= next_one.starts_at
            if days.following(one.daystamp) == next_one.daystamp:
                assert one.ends_at == next_one.starts_at
        for name, start, end in feed.counted:
            window = feed.known[name].window
            assert window.starts_at <= start <= end <= window.ends_at


@settings(max_examples=100, deadline=None)
@given(
    began=beginnings,
    first=moves,
    moved=st.dictionaries(st.integers(1, 150), moves, max_size=6),
)
def test_days_follow_the_clock_on_the_wall(
    began: float, first: tuple[ZoneInfo, int], moved: dict[int, tuple[ZoneInfo, int]]
) -> None:
    """Read every half hour, a day is the latest that a clock there has shown so far."""
    half_hour = 1800
    feed, latest = Place(*first), ""
    shown = []
    for count in range(151):
        now = began + count * half_hour
        latest = max(latest, days.day_of(now, feed.tz, feed.deadline))
        feed.tz, feed.deadline = moved.get(count, (feed.tz, feed.deadline))
        latest = max(latest, days.day_of(now, feed.tz, feed.deadline))
        feed.read(now)
        shown.append(latest)

    for count, (before, after) in enumerate(itertools.pairwise(shown)):
        middle = began + (count + 0.5) * half_hour
        (name,) = [
            name
            for name, day in feed.known.items()
            if day.window.starts_at <= middle < day.window.ends_at
        ]
        assert before <= name <= after
