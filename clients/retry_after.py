"""How long a Retry-After header asks us to wait (RFC 9110, 10.2.3 and 5.6.7).

Bad dates and numbers name no time, and of several the longest wait wins: rather late than early.
"""

import calendar
import datetime as dt
import re
from collections.abc import Iterator, Sequence

# The longest wait that is told apart, 68 years: RFC 9111, 1.2.2, names this number for those that
# are too large. Added to any instant it is still one that databases and calendars can hold.
LONGEST = 2.0**31
_DIGITS_TOLD_APART = 15

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH = f"(?P<month>{'|'.join(_MONTHS)})"
_TIME = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
_SHORT_DAY = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_LONG_DAY = "(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day"
# Mail software writes the first form with a day of one digit and other words for GMT; without any
# zone it means GMT as well, like the third form.
_DATES = (
    re.compile(
        f"{_SHORT_DAY}, (?P<day>[0-9]{{1,2}}) {_MONTH} (?P<year>[0-9]{{4}}) {_TIME}"
        "(?: (?:GMT|UTC|[+-]0000))?"
    ),
    re.compile(f"{_LONG_DAY}, (?P<day>[0-9]{{2}})-{_MONTH}-(?P<year>[0-9]{{2}}) {_TIME} GMT"),
    re.compile(f"{_SHORT_DAY} {_MONTH} (?P<day>[0-9 ][0-9]) {_TIME} (?P<year>[0-9]{{4}})"),
)
_DAY = re.compile(f"{_SHORT_DAY}|{_LONG_DAY}")
_DIGITS = re.compile("[0-9]+")  # not \d, which knows the digits of every script
_LAST_HOUR, _LAST_MINUTE, _LEAP_SECOND = 23, 59, 60


def seconds(header_values: Sequence[str], *, server_date: str | None, now: float) -> float | None:
    """Seconds to wait from now on, from 0 to LONGEST; None when no value can be understood.

    Dates are measured against the server's own clock, see `server_clock`. Of several values, also
    in one line as proxies fold them, the longest wait wins. Never raises.
    """
    clock = server_clock(server_date, now=now)
    waits = [_wait(part, clock) for value in header_values for part in _unfolded(value)]
    return max((wait for wait in waits if wait is not None), default=None)


def server_clock(server_date: str | None, *, now: float) -> float:
    """What the server's clock shows (Unix seconds): its `Date`, where good; else `now`.

    The two clocks may differ, and whatever names an instant names one of the server's clock. Of
    several dates the earliest counts: it makes the longest waits. Never raises.
    """
    found = [_http_date(part, now=now) for part in _unfolded(server_date or "")]
    return min((date for date in found if date is not None), default=now)


def until(instant: float, *, clock: float) -> float:
    """Seconds from `clock` to `instant`, from 0 to LONGEST."""
    return min(max(0.0, instant - clock), LONGEST)


def number(text: str) -> int | None:
    """A whole number in ASCII digits; None for all else, the sign of a negative one included.

    Beyond 15 digits it is 10**15: a number is not converted for as long as a server likes.
    """
    if not _DIGITS.fullmatch(text):
        return None
    digits = text.lstrip("0")
    return int(digits or "0") if len(digits) <= _DIGITS_TOLD_APART else 10**_DIGITS_TOLD_APART


def _unfolded(value: str) -> Iterator[str]:
    # Two of the date forms have a comma themselves, after the name of a day.
    day = ""
    for part in value.split(","):
        text = part.strip(" \t")
        if _DAY.fullmatch(text):
            day = f"{text}, "
        else:
            yield day + text
            day = ""


def _wait(value: str, clock: float) -> float | None:
    whole = number(value)
    if whole is not None:
        return min(float(whole), LONGEST)
    date = _http_date(value, now=clock)
    return None if date is None else until(date, clock=clock)


def _http_date(value: str, *, now: float) -> float | None:
    for form in _DATES:
        if match := form.fullmatch(value):
            return _epoch(match, now)
    return None


def _epoch(match: re.Match[str], now: float) -> float | None:
    month = _MONTHS.index(match["month"]) + 1
    hour, minute, second = int(match["hour"]), int(match["minute"]), int(match["second"])
    if hour > _LAST_HOUR or minute > _LAST_MINUTE or second > _LEAP_SECOND:
        return None
    try:
        year = _full_year(match["year"], now)
        dt.date(year, month, int(match["day"]))
    except (ValueError, OverflowError, OSError):
        return None
    return float(calendar.timegm((year, month, int(match["day"]), hour, minute, second)))


def _full_year(digits: str, now: float) -> int:
    if len(digits) == len("1994"):
        return int(digits)
    # RFC 9110: a two-digit year more than 50 years ahead is the most recent one that fits.
    latest = dt.datetime.fromtimestamp(now, dt.UTC).year + 50
    return latest - (latest - int(digits)) % 100
