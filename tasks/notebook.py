"""What a connection remembers of its source, for all workers and over restarts.

Two things: the validators of a URL (RFC 9110, 8.8) with what its answer came to, so that an
unchanged answer costs a 304; and which records were seen, so that one that was counted stays
counted when the source deletes it or moves it to another day.

Nothing secret may go in, and no whole answer: only what was derived from it.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Protocol

from db import notebook
from db.clock import Clock
from db.engine import Ledger
from db.notebook import Sighting, Validated

NOTHING: Mapping[str, Sequence[Sighting]] = {}
HASH_CHARACTERS = 24


class Notebook(Protocol):
    """The notes of one account. `kind` is the connection's own name for a set of records."""

    def validated(self, url: str) -> Validated | None:
        """What was written down of a URL."""
        ...

    def write(
        self,
        url: str,
        validated: Validated,
        *,
        once: Mapping[str, Sequence[Sighting]] = NOTHING,
        each: Mapping[str, Sequence[Sighting]] = NOTHING,
    ) -> None:
        """Write down an answer and the records in it, by kind, together: a 304 stands for both.

        A record of `once` counts at the instant that was told of it first. Of `each` it counts at
        every instant that was ever told.
        """
        ...

    def count(self, kind: str, starts_at: float, ends_at: float) -> int:
        """How many records of a kind counted in this time (UTC seconds, the end excluded)."""
        ...


class LedgerNotebook:
    """Notes in the ledger. `account` keeps those of another account of the source apart."""

    def __init__(self, ledger: Ledger, clock: Clock, *, source_id: int, account: str) -> None:
        self._ledger = ledger
        self._clock = clock
        self._source_id = source_id
        self._account = hashlib.sha256(account.encode()).hexdigest()[:HASH_CHARACTERS]

    def validated(self, url: str) -> Validated | None:
        """See `Notebook`."""
        with self._ledger.read() as session:
            return notebook.validated(session, self._source_id, self._scoped(url))

    def write(
        self,
        url: str,
        validated: Validated,
        *,
        once: Mapping[str, Sequence[Sighting]] = NOTHING,
        each: Mapping[str, Sequence[Sighting]] = NOTHING,
    ) -> None:
        """See `Notebook`."""
        with self._ledger.write() as session:
            for kind, seen in once.items():
                notebook.sight(session, self._source_id, self._scoped(kind), seen, once=True)
            for kind, seen in each.items():
                notebook.sight(session, self._source_id, self._scoped(kind), seen, once=False)
            notebook.validate(
                session, self._source_id, self._scoped(url), validated, now=self._clock.now()
            )

    def count(self, kind: str, starts_at: float, ends_at: float) -> int:
        """See `Notebook`."""
        with self._ledger.read() as session:
            return notebook.count(session, self._source_id, self._scoped(kind), starts_at, ends_at)

    def _scoped(self, name: str) -> str:
        return f"{self._account} {name}"


class MemoryNotebook:
    """Notes that end with the process: for one look at a source, and for tests."""

    def __init__(self) -> None:
        self._validated: dict[str, Validated] = {}
        self._seen: dict[str, dict[tuple[str, float | None], float]] = {}

    def validated(self, url: str) -> Validated | None:
        """See `Notebook`."""
        return self._validated.get(url)

    def write(
        self,
        url: str,
        validated: Validated,
        *,
        once: Mapping[str, Sequence[Sighting]] = NOTHING,
        each: Mapping[str, Sequence[Sighting]] = NOTHING,
    ) -> None:
        """See `Notebook`."""
        for kind, seen in once.items():
            for one in seen:
                self._seen.setdefault(kind, {}).setdefault((one.id, None), one.at)
        for kind, seen in each.items():
            for one in seen:
                self._seen.setdefault(kind, {}).setdefault((one.id, one.at), one.at)
        self._validated[url] = validated

    def count(self, kind: str, starts_at: float, ends_at: float) -> int:
        """See `Notebook`."""
        seen = self._seen.get(kind, {})
        return len({key[0] for key, at in seen.items() if starts_at <= at < ends_at})
