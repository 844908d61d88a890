"""Hearing that events have ended, in milliseconds, without asking for each of them.

PostgreSQL tells (`db.endings`), on a connection that a process has for that alone. In SQLite a
connection sees for next to nothing whether somebody else has committed since it last looked, and
only then asks which of those that are waited for have ended.
Neither is relied upon: whoever waits asks the ledger as well, from time to time, and only the
ledger says how an event has ended.
"""

import contextlib
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import psycopg
import structlog
from sqlalchemy.exc import SQLAlchemyError

from db import endings, inbox
from db.engine import Ledger

log = structlog.get_logger(__name__)

PROOF = "?"  # what a listener sends itself begins with it, and no id of an event does
PROVE_EVERY = 30.0  # seconds
PROVED_WITHIN = 2.0
AGAIN_AFTER = 1.0
DEAF_AGAIN_AFTER = 60.0
LOOK_EVERY = 0.008  # a look takes a thousandth of that; to fall asleep and wake, a hundredth
LOOK_AT_LEAST_EVERY = 0.02
QUIET_PER_LOOK = 8  # what took long may be heard a little later: by an eighth of it at most
PAUSES_PER_QUESTION = 10


@dataclass(frozen=True, slots=True)
class Heard:
    """Which events have ended; `anything`: others may have as well, so look at all of them."""

    ids: frozenset[str] = frozenset()
    anything: bool = False


class Watch(Protocol):
    """What one thread waits on.

    `sure`: whatever ends from now on is heard. `of_all`: so are ends that nobody waits for yet, so
    it is worth hearing while nobody waits.
    """

    sure: bool
    of_all: bool

    def wait(self, seconds: float) -> Heard:
        """What was heard; nothing after so many seconds. Raises for no database."""
        ...

    def close(self) -> None:
        """End a wait that runs, within its seconds; for another thread."""
        ...

    def let_go(self) -> None:
        """Give the connection back; for the thread that waits."""
        ...


def watch(ledger: Ledger, held: Callable[[], Sequence[str]]) -> Watch:
    """How the ends of events are heard in this database.

    `held` says which are waited for, the newest last; it is called in the thread that waits.
    """
    return Commits(ledger, held) if ledger.is_sqlite else Notifications(ledger)


# To the driver itself: it is asked after every commit of anybody, six or seven for each callback.
_ENDED = "SELECT id FROM event WHERE state IN ({}) AND id BETWEEN ? AND ?".format(  # noqa: S608
    ", ".join(f"'{state.value}'" for state in inbox.ENDED)
)


class Commits:
    """SQLite: somebody has committed something, be it in this process or in another one."""

    def __init__(self, ledger: Ledger, held: Callable[[], Sequence[str]]) -> None:
        self._ledger = ledger
        self._held = held
        self._closed = threading.Event()
        self._connection: Any = None
        self._seen: tuple[int, str] | None = None  # the last commit, and who was held last
        self.sure = self.of_all = False

    def wait(self, seconds: float) -> Heard:
        """Until one of those that are held has ended, or none is held any more."""
        now = quiet_since = time.monotonic()
        ends_at = now + seconds
        try:
            while not self._closed.is_set():
                if self._seen is None:
                    self._seen = self._look(), ""
                    self.sure = True
                    return Heard(anything=True)
                held = self._held()
                if not held:
                    break
                # Who is held since may have ended before, so one who is new counts as a commit.
                before, self._seen = self._seen, (self._look(), held[-1])
                pause = min((now - quiet_since) / QUIET_PER_LOOK, LOOK_AT_LEAST_EVERY)
                if before != self._seen:
                    if ended := self._ended(held):
                        return Heard(ended)
                    quiet_since = time.monotonic()
                    pause = (quiet_since - now) * PAUSES_PER_QUESTION
                if now >= ends_at:
                    break
                # Not on the event, which takes twice as long to fall asleep and wake.
                time.sleep(max(LOOK_EVERY, pause))
                now = time.monotonic()
        except (SQLAlchemyError, sqlite3.Error) as error:
            log.warning("endings.not_watched", error=type(error).__name__)
            self.let_go()
            self._closed.wait(min(seconds, AGAIN_AFTER))
        return Heard()

    def close(self) -> None:
        """End a wait that runs."""
        self._closed.set()

    def let_go(self) -> None:
        """Give the connection back."""
        self.sure, self._seen = False, None
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _look(self) -> int:
        # https://www.sqlite.org/pragma.html#pragma_data_version
        if self._connection is None:
            self._connection = self._ledger.reading_engine.raw_connection()
        (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        return int(version)

    def _ended(self, held: Sequence[str]) -> frozenset[str]:
        """Those of these that have ended; it costs as much as there were ends between them."""
        rows = self._connection.execute(_ENDED, (min(held), max(held)))
        return frozenset(event_id for (event_id,) in rows).intersection(held)


class Notifications:
    """PostgreSQL: LISTEN, and a proof now and then that what is sent does arrive.

    A pooler in transaction mode takes the LISTEN and delivers nothing, and a connection may be dead
    for minutes before anybody says so. So a listener sends itself something on another connection,
    and is `sure` only as long as that arrives.
    """

    def __init__(self, ledger: Ledger, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._ledger = ledger
        self._monotonic = monotonic
        self._closed = threading.Event()
        self._connection: psycopg.Connection[Any] | None = None
        self._listen_at = 0.0
        self._prove_at = 0.0
        self._proof: str | None = None  # sent, and not heard yet
        self._deaf = False
        self.sure, self.of_all = False, True

    def wait(self, seconds: float) -> Heard:
        """Until somebody ends an event."""
        try:
            now = self._monotonic()
            if self._connection is None:
                if now < self._listen_at:
                    self._closed.wait(min(seconds, self._listen_at - now))
                    return Heard()
                self._connection = self._listen()
                self._prove(now)
                return Heard(anything=True)  # whatever was told before that is lost
            if self._proof is None and now >= self._prove_at:
                self._prove(now)
            elif self._proof is not None and now >= self._prove_at:
                self._is_deaf(now)
                return Heard(anything=True)
            return self._hear(self._connection, seconds)
        except (SQLAlchemyError, psycopg.Error) as error:
            log.warning("endings.not_heard", error=type(error).__name__)
            self._listen_at = self._monotonic() + AGAIN_AFTER
            self.let_go()
            return Heard(anything=True)

    def close(self) -> None:
        """End a wait that runs, within its seconds."""
        self._closed.set()

    def let_go(self) -> None:
        """Close the connection."""
        self.sure, self._proof = False, None
        if self._connection is not None:
            with contextlib.suppress(psycopg.Error):
                self._connection.close()
            self._connection = None

    def _listen(self) -> psycopg.Connection[Any]:
        # One more than the pool has, made as its others are: it never goes back.
        lent = self._ledger.engine.raw_connection()
        connection: psycopg.Connection[Any] = lent.driver_connection  # type: ignore[assignment] # this driver's
        lent.detach()
        try:
            connection.rollback()
            connection.autocommit = True
            connection.execute("SET application_name = 'waggle listens'")
            connection.execute(f"LISTEN {endings.CHANNEL}")
        except psycopg.Error:
            connection.close()
            raise
        return connection

    def _prove(self, now: float) -> None:
        self._proof = PROOF + secrets.token_hex(8)
        self._prove_at = now + PROVED_WITHIN
        with self._ledger.write() as session:
            endings.say(session, self._proof)

    def _hear(self, connection: psycopg.Connection[Any], seconds: float) -> Heard:
        ids: set[str] = set()
        for said in connection.notifies(timeout=seconds, stop_after=1):
            if said.payload == self._proof:
                self._proof, self._prove_at = None, self._monotonic() + PROVE_EVERY
                if self._deaf:
                    log.info("endings.heard_again")
                self.sure, self._deaf = True, False
            elif not said.payload.startswith(PROOF):
                ids.update(said.payload.split(","))
        return Heard(frozenset(ids))

    def _is_deaf(self, now: float) -> None:
        if not self._deaf:  # said once
            log.warning("endings.deaf", hint="is there a pooler in transaction mode before it?")
        self._listen_at = now + (DEAF_AGAIN_AFTER if self._deaf else AGAIN_AFTER)
        self._deaf = True
        self.let_go()
