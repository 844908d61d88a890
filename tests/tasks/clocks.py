"""Moments around the changes of real clocks, and the two rules that Beeminder has published."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from hypothesis import strategies as st

from tasks import days

DAY = 86400
# What a machine calls its own zone is left out: a test has to mean the same everywhere.
ZONES = sorted(available_timezones() - {"localtime"})
ODD = (
    ("America/Juneau", 1867),  # had a date twice
    ("Pacific/Apia", 1892),  # the same, and skipped one in 2011
    ("Pacific/Apia", 2011),
    ("Asia/Manila", 1844),  # skipped a date
    ("Pacific/Kwajalein", 1969),
    ("Pacific/Kwajalein", 1993),
    ("Pacific/Enderbury", 1994),
    ("Pacific/Kiritimati", 1994),
    ("America/St_Johns", 2010),  # half hours; clocks changed at one past midnight
    ("America/St_Johns", 1988),  # two hours of DST
    ("Asia/Kathmandu", 1985),  # to three quarters of an hour
    ("Pacific/Chatham", 2026),
    ("Australia/Lord_Howe", 2026),  # half an hour of DST
    ("Antarctica/Troll", 2026),  # two hours of DST
    ("Africa/Casablanca", 2026),  # back for Ramadan
    ("America/Sao_Paulo", 2018),  # forward at midnight, and back to the day before
    ("Asia/Beirut", 2026),
    ("America/Havana", 2026),
    ("Africa/Cairo", 2026),
    ("Atlantic/Azores", 2026),
    ("America/Scoresbysund", 2022),
    ("America/Toronto", 1919),  # from half past eleven to half past midnight
    ("Europe/Paris", 2026),
    ("America/New_York", 2026),
)
deadlines = st.sampled_from(
    (0, days.EARLIEST_DEADLINE, days.LATEST_DEADLINE, -1, 1, 2 * 3600, 3 * 3600, -3 * 3600)
) | st.integers(days.EARLIEST_DEADLINE, days.LATEST_DEADLINE)


def offset(instant: int, tz: ZoneInfo) -> int:
    """How far the zone's clock is ahead of UTC then, in seconds."""
    return int((datetime.fromtimestamp(instant, tz).utcoffset() or timedelta()).total_seconds())


@lru_cache(maxsize=4096)
def changes(name: str, year: int) -> Sequence[int]:
    """The instants of a year at which a zone's clock was changed."""
    tz = ZoneInfo(name)
    began = int(datetime(year, 1, 1, tzinfo=UTC).timestamp())
    found = []
    for low in range(began, began + 366 * DAY, DAY):
        if offset(low, tz) != offset(low + DAY, tz):
            before, after = low, low + DAY
            while after - before > 1:
                middle = (before + after) // 2
                if offset(middle, tz) == offset(low, tz):
                    before = middle
                else:
                    after = middle
            found.append(after)
    return found


@st.composite
def moments(draw: st.DrawFn) -> tuple[int, ZoneInfo]:
    """An instant and a zone; mostly one within two days of a change of the zone's clock."""
    name, year = draw(
        st.sampled_from(ODD) | st.tuples(st.sampled_from(ZONES), st.integers(1840, 2100))
    )
    changed = changes(name, year)
    if changed:
        return draw(st.sampled_from(changed)) + draw(st.integers(-2 * DAY, 2 * DAY)), ZoneInfo(name)
    began = int(datetime(year, 1, 1, tzinfo=UTC).timestamp())
    return began + draw(st.integers(0, 365 * DAY)), ZoneInfo(name)


def by_tallybee(instant: int, tz: ZoneInfo, deadline: int) -> date:
    """TallyBee: the local date of (instant - deadline)."""
    return datetime.fromtimestamp(instant - deadline, tz).date()


def by_beeswift(instant: int, tz: ZoneInfo, deadline: int) -> date:
    """BeeSwift: the local date, moved by a look at the local time of day."""
    local = datetime.fromtimestamp(instant, tz)
    of_day = local.hour * 3600 + local.minute * 60 + local.second
    if deadline < 0 and of_day >= DAY + deadline:
        return local.date() + timedelta(days=1)
    if deadline > 0 and of_day < deadline:
        return local.date() - timedelta(days=1)
    return local.date()
