"""What this process has heard of closed gates, until the ledger has it.

A refusal counts in its own process from the moment it is read. Every other process learns of it
from the ledger; where that does not answer just then, it is written down as soon as it does.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from db import quotas, quotas_closing
from db.engine import Ledger
from db.quotas import Turn
from db.quotas_closing import Lesson

HEARD_SECONDS = 1.0  # then the ledger is asked, where somebody may have opened the gate


@dataclass(frozen=True, slots=True)
class Closing:
    """Nobody asks at this gate before `until`, heard `at` (UTC seconds).

    `seen`: what closed it; `words` tell people which gate it is (see `quotas.ensure`).
    """

    key: str
    until: float
    at: float
    seen: str | None = None
    words: Mapping[str, str] = field(default_factory=dict)


class Closings:
    """The gates of one process; shared by its threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, Closing] = {}
        self._unwritten: dict[str, Closing] = {}

    def close(
        self,
        ledger: Ledger,
        closing: Closing,
        *,
        refused: Turn | None = None,
        lesson: Lesson | None = None,
    ) -> float:
        """Close a gate here at once, then in the ledger; returns when it opens (UTC seconds).

        `refused` and `lesson` as of `quotas_closing.close`. Raises what the ledger does.
        """
        self.note(closing)
        return self._write(ledger, closing, refused=refused, lesson=lesson)

    def note(self, closing: Closing) -> None:
        """Closed from now on, and to be written down."""
        with self._lock:
            until = max(closing.until, self.until(closing.key, closing.at))
            closing = replace(closing, until=until)
            self._known[closing.key] = self._unwritten[closing.key] = closing

    def written(self, key: str, until: float) -> None:
        """The ledger has it that this gate is closed until then."""
        with self._lock:
            closing = self._unwritten.get(key)
            if closing is not None and closing.until <= until:
                del self._unwritten[key]

    def until(self, key: str, now: float) -> float:
        """When it opens, 0.0 where the ledger is who knows."""
        unwritten = self._unwritten.get(key)
        if unwritten is not None:
            return unwritten.until
        known = self._known.get(key)
        if known is None or now - known.at >= HEARD_SECONDS:
            return 0.0
        return known.until

    def write_late(self, ledger: Ledger, now: float) -> None:
        """Write down what could not be when it was heard. Raises what the ledger does."""
        for closing in self._late(now):
            if closing.until > now:
                self._write(ledger, closing)
            else:
                self.written(closing.key, closing.until)

    def _write(
        self,
        ledger: Ledger,
        closing: Closing,
        *,
        refused: Turn | None = None,
        lesson: Lesson | None = None,
    ) -> float:
        with ledger.write() as session:
            quotas.ensure(session, closing.key, **closing.words)
            until = quotas_closing.close(
                session,
                closing.key,
                closing.until,
                now=closing.at,
                seen=closing.seen,
                refused=refused,
                lesson=lesson,
            )
        self.written(closing.key, until)
        return until

    def _late(self, now: float) -> list[Closing]:
        """Those whose first try is over, one way or the other."""
        with self._lock:
            return [one for one in self._unwritten.values() if now - one.at >= HEARD_SECONDS]
