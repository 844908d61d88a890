"""Hearing that events have ended, in milliseconds, without asking for each of them.

PostgreSQL tells (`db.endings`), on a connection that a process has for that alone. In SQLite a
connection sees for next to nothing whether somebody else has committed since it last looked.
Neither is relied upon: whoever waits asks the ledger as well, from time to time, and only the
ledger says how an event has ended.
"""

import contextlib
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import psycopg
import structlog
from sqlalchemy.exc import SQLAlchemyError

from db import endings
from db.engine import Ledger

log = structlog.get_logger(__name__)

PROOF = "?"  # what a listener sends itself begins with it, and no id of an event does
PROVE_EVERY = 30.0  # seconds
PROVED_WITHIN = 2.0
AGAIN_AFTER = 1.0
DEAF_AGAIN_AFTER = 60.0
LOOK_EVERY = 0.003  # a look takes a hundredth of that


@dataclass(frozen=True, slots=True)
class Heard:
    """Which events have ended; `anything`: others may have as well, so look at all of them."""

    ids: frozenset[str] = frozenset()
    anything: bool = False


class Watch(Protocol):
    """What one thread waits on.

    `sure`: whatever ends from now on is heard. `names_them`: which ones is, so it is worth hearing
    while nobody waits.
    """

    sure: bool
    names_them: bool

    def wait(self, seconds: float) -> Heard:
        """What was heard; nothing after so many seconds. Raises for no database."""
        ...

    def close(self) -> None:
        """End a wait that runs, within its seconds; for another thread."""
        ...

    def let_go(self) -> None:
        """Give the connection back; for the thread that waits."""
        ...


def watch(ledger: Ledger) -> Watch:
    """How the ends of events are heard in this database."""
    return Commits(ledger) if ledger.is_sqlite else Notifications(ledger)


class Commits:
    """SQLite: somebody has committed something, be it in this process or in another one."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._closed = threading.Event()
        self._connection: Any = None
        self._version: int | None = None
        self.sure = self.names_them = False

    def wait(self, seconds: float) -> Heard:
        """Until there is a commit."""
        ends_at = time.monotonic() + seconds
        try:
            while not self._closed.is_set():
                before, self._version = self._version, self._look()
                self.sure = True
                if before != self._version:
                    return Heard(anything=True)
                if time.monotonic() >= ends_at:
                    break
                self._closed.wait(LOOK_EVERY)
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
        self.sure, self._version = False, None
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _look(self) -> int:
        # https://www.sqlite.org/pragma.html#pragma_data_version
        if self._connection is None:
            self._connection = self._ledger.reading_engine.raw_connection()
        (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        return int(version)


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
        self.sure, self.names_them = False, True

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
