"""How long a Retry-After header asks us to wait (RFC 9110, 10.2.3 and 5.6.7)."""

import calendar
import datetime as dt
import re
from collections.abc import Sequence

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH = f"(?P<month>{'|'.join(_MONTHS)})"
_TIME = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
_SHORT_DAY = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_LONG_DAY = "(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day"
_DATES = (
    re.compile(f"{_SHORT_DAY}, (?P<day>[0-9]{{2}}) {_MONTH} (?P<year>[0-9]{{4}}) {_TIME} GMT"),
    re.compile(f"{_LONG_DAY}, (?P<day>[0-9]{{2}})-{_MONTH}-(?P<year>[0-9]{{2}}) {_TIME} GMT"),
    re.compile(f"{_SHORT_DAY} {_MONTH} (?P<day>[0-9 ][0-9]) {_TIME} (?P<year>[0-9]{{4}})"),
)
# More than ten digits are over three centuries: a mistake, and a float overflow further down.
# A list appears when a proxy folds two headers into one line.
_SECONDS = re.compile(r"[0-9]{1,10}(?:[ \t]*,[ \t]*[0-9]{1,10})*")
_LAST_HOUR, _LAST_MINUTE, _LEAP_SECOND = 23, 59, 60


def seconds(header_values: Sequence[str], *, server_date: str | None, now: float) -> float | None:
    """Seconds to wait from now on, never negative; None when no value can be understood.

    Dates are measured against the server's own `Date` header where it is good, because the
    two clocks may differ; else against `now` (Unix seconds). Of several values the longest wait
    wins. Never raises.
    """
    reference = now if server_date is None else _http_date(server_date, now=now)
    if reference is None:
        reference = now
    waits = [_wait(value.strip(" \t"), reference) for value in header_values]
    return max((wait for wait in waits if wait is not None), default=None)


def _wait(value: str, reference: float) -> float | None:
    if _SECONDS.fullmatch(value):
        return max(float(part) for part in value.split(","))
    until = _http_date(value, now=reference)
    return None if until is None else max(0.0, until - reference)


def _http_date(value: str, *, now: float) -> float | None:
    for form in _DATES:
        if match := form.fullmatch(value.strip(" \t")):
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
