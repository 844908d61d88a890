"""What this process has counted since it last wrote it down. See `db.tallies`."""

import threading
from collections import Counter

from sqlmodel import Session

from db import tallies
from db.tallies import Key, Seen


class Tally:
    """Counts of all threads of a process, until they are in the ledger."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[Key] = Counter()
        self._seen: dict[Key, Seen] = {}

    def count(self, name: str, subject: str = "", outcome: str = "", *, by: int = 1) -> None:
        """`by` more of these; the name and the outcome are among `tallies.OUTCOMES`."""
        if outcome not in tallies.OUTCOMES[name]:
            message = f"{name} are not counted by {outcome!r}"
            raise ValueError(message)
        if by > 0:
            with self._lock:
                self._counts[Key(name, subject, outcome)] += by

    def mark(self, name: str, outcome: str = "", *, at: float, value: float = 0.0) -> None:
        """Seen `at` this time (UTC seconds); the name is among `tallies.MARKS`."""
        if outcome not in tallies.MARKS[name]:
            message = f"{name} is not seen as {outcome!r}"
            raise ValueError(message)
        with self._lock:
            self._seen[Key(name, "", outcome)] = Seen(at, value)

    def write(self, session: Session, now: float) -> None:
        """Write down what has come since the last time; `forget` it when that is committed."""
        with self._lock:
            counts, seen = dict(self._counts), dict(self._seen)
        tallies.add(session, counts, now)
        tallies.mark(session, seen)
        self._written = (counts, seen)

    def forget(self) -> None:
        """What was written is in the ledger now."""
        counts, seen = self._written
        self._written = ({}, {})
        with self._lock:
            self._counts.subtract(counts)
            self._counts = +self._counts
            for key, one in seen.items():
                if self._seen.get(key) == one:
                    del self._seen[key]

    _written: tuple[dict[Key, int], dict[Key, Seen]] = ({}, {})
