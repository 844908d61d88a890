"""Feeds of people who travel: the days that were read, kept as the ledger keeps them."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from tasks import bounds
from tasks.bounds import Known
from tasks.days import Window

HOUR = 3600
DAY = 24 * HOUR
UTC_ZONE = ZoneInfo("UTC")
TOKYO = ZoneInfo("Asia/Tokyo")  # +9
HONOLULU = ZoneInfo("Pacific/Honolulu")  # -10
KIRITIMATI = ZoneInfo("Pacific/Kiritimati")  # +14, the first to see a day
BAKER = ZoneInfo("Etc/GMT+12")  # the last to see it


def at(day: int, hour: float = 0.0) -> float:
    """UTC seconds of this hour of a day of November 2026."""
    return datetime(2026, 11, day, tzinfo=UTC).timestamp() + hour * HOUR


@dataclass(slots=True)
class Place:
    """A feed as the ledger would keep it: where its person is, and the days that were read."""

    tz: ZoneInfo = UTC_ZONE
    deadline: int = 0
    known: dict[str, Known] = field(default_factory=dict)
    counted: list[tuple[str, float, float]] = field(default_factory=list)

    def read(
        self, now: float, *, lookback: int = 0, since: str | None = None
    ) -> dict[str, tuple[float, float]]:
        """Sync; the bounds of what was read, by daystamp."""
        found = bounds.days_to_read(
            now,
            tz=self.tz,
            deadline=self.deadline,
            lookback=lookback,
            since=since,
            known=self.known,
        )
        return self._store(found, now)

    def backfill(self, first: str, last: str, now: float) -> dict[str, tuple[float, float]]:
        """Read these days; their bounds, by daystamp."""
        found = bounds.days_between(
            first, last, now=now, tz=self.tz, deadline=self.deadline, known=self.known
        )
        return self._store(found, now)

    def today(self, now: float) -> str:
        """The day that `now` belongs to."""
        return bounds.today(now, tz=self.tz, deadline=self.deadline, known=self.known)

    def _store(self, found: tuple[Window, ...], now: float) -> dict[str, tuple[float, float]]:
        for window in found:
            kept = self.known.get(window.daystamp)
            finished = kept is not None and kept.window.ends_at <= now
            stored = kept.window if kept is not None and finished else window
            assert stored == window, "a finished day was asked for with other bounds"
            self.known[window.daystamp] = Known(stored, now)
            self.counted.append((window.daystamp, window.starts_at, min(window.ends_at, now)))
        return {window.daystamp: (window.starts_at, window.ends_at) for window in found}
