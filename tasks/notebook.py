"""What a connection remembers of its source, for all workers and over restarts.

Three things: the validators of a URL (RFC 9110, 8.8) with what its answer came to, so that an
unchanged answer costs a 304; which records were seen, so that one that was counted stays counted
when the source deletes it or moves it to another day; and facts, such as the number behind a name,
so that what one worker has learned is not asked for by the next. How old a fact may be is for
whoever reads it to say, and who is refused for one has to forget it: see `tasks.knowledge`.

Nothing secret may go in, and no whole answer: only what was derived from it.
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from db import notebook
from db.clock import Clock
from db.engine import Ledger
from db.notebook import Learned, Sighting, Validated

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

    def learned(self, names: Collection[str]) -> Mapping[str, Learned]:
        """The facts of these names, as far as somebody has learned them."""
        ...

    def learn(self, facts: Mapping[str, Learned]) -> None:
        """Write down facts by name, over what was there."""
        ...

    def forget(self, names: Collection[str]) -> None:
        """Strike out the facts of these names."""
        ...


class LedgerNotebook:
    """Notes in the ledger. `account` keeps those of another account of the source apart.

    `made_of`: settings and credentials of the source, which are hashed. Facts that were learned
    with others are not seen, nor those of a process that has not heard of the change yet.
    """

    def __init__(
        self, ledger: Ledger, clock: Clock, *, source_id: int, account: str, made_of: str
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._source_id = source_id
        self._account = _hashed(account)
        self._made_of = made_of

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

    def learned(self, names: Collection[str]) -> Mapping[str, Learned]:
        """See `Notebook`."""
        scoped = {self._of_fact(name): name for name in names}
        with self._ledger.read() as session:
            found = notebook.learned(session, self._source_id, scoped)
        return {scoped[name]: fact for name, fact in found.items()}

    def learn(self, facts: Mapping[str, Learned]) -> None:
        """See `Notebook`."""
        scoped = {self._of_fact(name): fact for name, fact in facts.items()}
        with self._ledger.write(durable=False) as session:  # what is lost is asked for again
            notebook.learn(session, self._source_id, scoped)

    def forget(self, names: Collection[str]) -> None:
        """See `Notebook`."""
        with self._ledger.write(durable=False) as session:
            notebook.forget(session, self._source_id, [self._of_fact(name) for name in names])

    def _of_fact(self, name: str) -> str:
        return self._scoped(f"fact {_hashed(f'{self._made_of} {name}')}")

    def _scoped(self, name: str) -> str:
        return f"{self._account} {name}"


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:HASH_CHARACTERS]


class MemoryNotebook:
    """Notes that end with the process: for one look at a source, and for tests."""

    def __init__(self) -> None:
        self._validated: dict[str, Validated] = {}
        self._seen: dict[str, dict[tuple[str, float | None], float]] = {}
        self._learned: dict[str, Learned] = {}

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

    def learned(self, names: Collection[str]) -> Mapping[str, Learned]:
        """See `Notebook`."""
        return {name: self._learned[name] for name in names if name in self._learned}

    def learn(self, facts: Mapping[str, Learned]) -> None:
        """See `Notebook`."""
        self._learned.update(facts)

    def forget(self, names: Collection[str]) -> None:
        """See `Notebook`."""
        for name in names:
            self._learned.pop(name, None)
