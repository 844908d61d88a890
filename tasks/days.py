"""Beeminder days as pure functions.

A Beeminder day is not a calendar day. The day of an instant is the local date, in the person's
time zone, of (instant - goal deadline), with the deadline in seconds from midnight: negative is
before midnight, positive is after it. So the day `D` covers the instants from the start of the
local date `D` plus the deadline to the start of the local date `D + 1` plus the deadline. Starts of
local dates are found on the zone's real clock: days around a DST change last 23 or 25 hours.

Days tile time, also where dates do not. A date starts when the zone's calendar first shows it or a
later one, and once it has started the one before is over. Hence:

- A date that a zone skipped (Pacific/Apia, 2011-12-30) is a day without an instant in it, at the
  moment of the skip. Nothing can be counted for it.
- A date that a zone had twice (America/Juneau, 1867) is one day of 48 hours.
- Where clocks go back across midnight (America/St_Johns until 2011, from 00:01 to 23:01), the hour
  that shows the old date once more counts for the new one. The day's deadline has passed by then.
"""

import math
from bisect import bisect_left
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

# What Beeminder documents; any other number of seconds works by the same rule.
EARLIEST_DEADLINE = -17 * 3600
LATEST_DEADLINE = 6 * 3600
ONE_DAY = timedelta(days=1)


class Window(NamedTuple):
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
    if len(daystamp) == len("YYYYMMDD") and daystamp.isascii() and daystamp.isdigit():
        year, month, day = int(daystamp[:4]), int(daystamp[4:6]), int(daystamp[6:])
        try:
            return date(year, month, day)
        except ValueError as exc:
            raise ValueError(f"{daystamp!r} is no date of the calendar: {exc}") from exc
    raise ValueError(f"{daystamp!r} is no daystamp: write YYYYMMDD, such as 20261120")


def stamp(day: date) -> str:
    """A date as YYYYMMDD."""
    return day.isoformat().replace("-", "")


def following(daystamp: str) -> str:
    """The daystamp of the next date."""
    return stamp(parse(daystamp) + ONE_DAY)


def day_of(instant: float, tz: ZoneInfo, deadline: int) -> str:
    """The daystamp for which a value at this instant (UTC seconds) counts."""
    # Whole seconds: a datetime would round the last fraction of a day up into the next.
    moment = math.floor(instant) - deadline
    shown = datetime.fromtimestamp(moment, tz).date()
    begun = start_of_date(shown + ONE_DAY, tz) <= moment  # and clocks went back across midnight
    return stamp(shown + ONE_DAY if begun else shown)


def window(day: date, tz: ZoneInfo, deadline: int) -> Window:
    """The instants that count for this day."""
    starts = start_of_date(day, tz) + deadline
    ends = start_of_date(day + ONE_DAY, tz) + deadline
    return Window(stamp(day), starts, ends)


def windows(first: date, last: date, tz: ZoneInfo, deadline: int) -> list[Window]:
    """The days from `first` to `last`, both included, oldest first."""
    count = (last - first).days + 1
    return [window(first + timedelta(days=n), tz, deadline) for n in range(max(0, count))]


@lru_cache(maxsize=4096)  # each sync asks a dozen times for the same few dates
def start_of_date(day: date, tz: ZoneInfo) -> float:
    """The first instant at which the zone's calendar shows this date or a later one (UTC seconds).

    A date that a zone skipped starts, and ends, at the moment of the skip.
    """

    def shown(instant: int) -> bool:
        return datetime.fromtimestamp(instant, tz).date() >= day

    midnight = datetime(day.year, day.month, day.day, tzinfo=tz)
    early, late = sorted(int(midnight.replace(fold=fold).timestamp()) for fold in (0, 1))
    if shown(early):  # the only midnight, or the first of two
        return float(early)
    # Midnight was skipped. The clock jumped between the instants that its offsets before and after
    # the jump give for midnight, and the date starts there.
    return float(early + bisect_left(range(early, late), x=True, key=shown))
