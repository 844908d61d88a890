"""The argument `period` of BM Parts: words, and ranges in braces.

https://developer.bm.parts/api/v2/overview.html
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_RANGE = re.compile(r"\{([^{},]*),([^{},]*)\}")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z")
_DAYS_BACK = {"week": 6, "month": 30, "quarter": 91, "year": 365}


@dataclass(frozen=True, slots=True)
class Period:
    """A time in UTC seconds; `inclusive`: its end is part of it."""

    starts_at: float
    ends_at: float
    inclusive: bool

    def has(self, at: float) -> bool:
        """Is this instant in it? Instants count in whole seconds."""
        second = int(at)
        return self.starts_at <= second and (
            second <= self.ends_at if self.inclusive else second < self.ends_at
        )


def period(text: str, *, now: float, zone: str, inclusive: bool) -> Period:
    """What this argument means at `now` (UTC seconds). ValueError for what means nothing."""
    tz = ZoneInfo(zone)
    today = datetime.fromtimestamp(now, tz).date()
    if found := _RANGE.fullmatch(text):
        first, last = found.groups()
        starts_at = _instant(first, today, tz, last=False)
        ends_at = _instant(last, today, tz, last=True)
        return Period(starts_at, ends_at, inclusive)
    if text == "today":
        return _whole(today, today, tz)
    if text == "yesterday":
        return _whole(today - timedelta(days=1), today - timedelta(days=1), tz)
    if text in _DAYS_BACK:
        return _whole(today - timedelta(days=_DAYS_BACK[text]), today, tz)
    raise ValueError(f"period {text!r} is not understood")


def _whole(first: date, last: date, tz: ZoneInfo) -> Period:
    return Period(_midnight(first, tz), _midnight(last + timedelta(days=1), tz), inclusive=False)


def _instant(text: str, today: date, tz: ZoneInfo, *, last: bool) -> float:
    if _INSTANT.fullmatch(text):
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()
    if text and not _DATE.fullmatch(text):
        raise ValueError(f"{text!r} is no date")
    day = date.fromisoformat(text) if text else today
    return _midnight(day + timedelta(days=1), tz) - 1 if last else _midnight(day, tz)


def _midnight(day: date, tz: ZoneInfo) -> float:
    return datetime.combine(day, time(), tz).timestamp()
