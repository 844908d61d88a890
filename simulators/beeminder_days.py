"""Which day an instant counts for, and the other way round.

A Beeminder day is the local date, in the user's zone, of (instant - deadline seconds).
"""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo


def daystamp_of(timestamp: float, *, zone: str, deadline: int) -> str:
    """`YYYYMMDD` that the instant (Unix seconds) counts for."""
    shifted = datetime.fromtimestamp(timestamp - deadline, ZoneInfo(zone))
    return shifted.strftime("%Y%m%d")


def parse_daystamp(text: str) -> date:
    """ValueError unless `text` is a real date as YYYYMMDD."""
    if len(text) != len("20240131") or not text.isascii() or not text.isdigit():
        raise ValueError(f"{text!r} is no daystamp")
    return date(int(text[:4]), int(text[4:6]), int(text[6:]))


def last_second_of(daystamp: str, *, zone: str, deadline: int) -> int:
    """Unix seconds just before the deadline of that day."""
    following = parse_daystamp(daystamp) + timedelta(days=1)
    midnight = datetime(following.year, following.month, following.day, tzinfo=ZoneInfo(zone))
    return int(midnight.timestamp()) + deadline - 1


def iso_milliseconds(timestamp: float) -> str:
    """ISO 8601 in UTC with milliseconds, the form of `created_at`."""
    moment = datetime.fromtimestamp(timestamp, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
