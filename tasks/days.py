"""Beeminder days as pure functions.

A Beeminder day is not a calendar day. The day of an instant is the local date, in the person's
time zone, of (instant - goal deadline), with the deadline in seconds from midnight: negative is
before midnight, positive is after it. So the day `D` covers the instants from the start of the
local date `D` plus the deadline to the start of the local date `D + 1` plus the deadline. Starts of
local dates are found on the zone's real clock: days around a DST change last 23 or 25 hours.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

FORMAT = "%Y%m%d"
EARLIEST_DEADLINE = -17 * 3600
LATEST_DEADLINE = 6 * 3600


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """One Beeminder day: `daystamp` is YYYYMMDD, the bounds are UTC seconds, the end excluded."""

    daystamp: str
    starts_at: float
    ends_at: float


class UnknownZoneError(ValueError):
    """Beeminder named a time zone that this machine does not know."""


def zone(name: str) -> ZoneInfo:
    """The IANA zone of this name, or `UnknownZoneError`."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as exc:
        message = f"unknown time zone {name!r}: is the tzdata package up to date?"
        raise UnknownZoneError(message) from exc


def parse(daystamp: str) -> date:
    """YYYYMMDD as a date; ValueError for anything else."""
    return datetime.strptime(daystamp, FORMAT).replace(tzinfo=UTC).date()


def stamp(day: date) -> str:
    """A date as YYYYMMDD."""
    return day.strftime(FORMAT)


def day_of(instant: float, tz: ZoneInfo, deadline: int) -> str:
    """The daystamp for which a value at this instant counts."""
    local = datetime.fromtimestamp(instant - deadline, tz).date()
    # Where clocks go back across midnight a local date comes twice. Days follow the starts of
    # dates, so that they tile time: look at the neighbours as well.
    for day in (local + timedelta(days=1), local):
        if window(day, tz, deadline).starts_at <= instant < window(day, tz, deadline).ends_at:
            return stamp(day)
    return stamp(local - timedelta(days=1))


def window(day: date, tz: ZoneInfo, deadline: int) -> Window:
    """The instants that count for this day."""
    starts = start_of_date(day, tz) + deadline
    ends = start_of_date(day + timedelta(days=1), tz) + deadline
    return Window(stamp(day), starts, ends)


def windows(first: date, last: date, tz: ZoneInfo, deadline: int) -> list[Window]:
    """The days from `first` to `last`, both included, oldest first."""
    count = (last - first).days + 1
    return [window(first + timedelta(days=n), tz, deadline) for n in range(max(0, count))]


def start_of_date(day: date, tz: ZoneInfo) -> float:
    """The first instant from which the zone's calendar shows this date (UTC seconds).

    A date that a zone skipped starts, and ends, at the moment of the skip.
    """
    midnight = datetime(day.year, day.month, day.day, tzinfo=tz)  # fold 0: the first of two
    instant = midnight.timestamp()
    if datetime.fromtimestamp(instant, tz).replace(tzinfo=None) == midnight.replace(tzinfo=None):
        return instant
    # Midnight was skipped: the date starts when the clock jumps, which is between the instants
    # that the offsets before and after the jump give for midnight.
    low, high = sorted((instant, midnight.replace(fold=1).timestamp()))
    low, high = low - 1, high + 1
    before = datetime.fromtimestamp(low, tz).utcoffset()
    while high - low > 1:
        middle = (low + high) // 2
        if datetime.fromtimestamp(middle, tz).utcoffset() == before:
            low = middle
        else:
            high = middle
    return float(high)
