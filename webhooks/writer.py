"""Group commit: whatever callbacks wait are stored in one transaction, then all of them go on.

A commit to disk costs the same for one row as for hundreds. While one runs, the next group
gathers; so the busier it gets, the less a callback costs.
"""

import asyncio
import random
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from db import engine, inbox
from db.clock import Clock
from db.engine import Ledger
from db.states import EventKind, Lane
from webhooks import request_ids
from webhooks.metrics import Metrics
from webhooks.ringer import Bell, Ringer
from webhooks.solo import SoloThread

log = structlog.get_logger(__name__)

GROUP = 500
BACKLOG = 20_000
PATIENCE_SECONDS = 15.0

BELLS: Mapping[EventKind, Bell] = {
    EventKind.AUTOFETCH: ("sync", Lane.URGENT.name.lower()),
    EventKind.REMINDER: ("sync", Lane.URGENT.name.lower()),
    EventKind.SYNC: ("sync", Lane.URGENT.name.lower()),
    EventKind.DEAUTHORIZED: ("deauthorize", Lane.DEFAULT.name.lower()),
}


class NotStoredError(Exception):
    """A callback could not be committed: it must not be answered with a 2xx."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A callback on its way into the ledger."""

    kind: EventKind
    payload: dict[str, Any]
    user_id: int | None
    request_id: str | None
    stored: asyncio.Future[str]


class Writer:
    """Stores callbacks; `run` has to be running for that."""

    def __init__(
        self, *, ledger: Ledger, clock: Clock, ringer: Ringer, metrics: Metrics, group: int = GROUP
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._ringer = ringer
        self._metrics = metrics
        self._group = group
        self._waiting: list[Waiting] = []
        self._some = asyncio.Event()
        self._thread = SoloThread("commits")
        # Event ids are to be unique, not secret, and a system call for each is dear.
        self._random_bits = random.Random(secrets.randbits(256)).getrandbits  # noqa: S311 -- as above

    async def store(
        self, kind: EventKind, payload: dict[str, Any], *, user_id: int | None = None
    ) -> str:
        """The id of the event, once it is on disk; raises `NotStoredError`."""
        if len(self._waiting) >= BACKLOG:
            message = "too many callbacks are waiting to be stored"
            raise NotStoredError(message)
        stored: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting.append(Waiting(kind, payload, user_id, request_ids.current(), stored))
        self._some.set()
        return await stored

    async def run(self) -> None:
        """Commit group after group until cancelled."""
        while True:
            await self._some.wait()
            self._some.clear()
            while self._waiting:
                group = self._waiting[: self._group]
                del self._waiting[: self._group]
                await self._store_group(group)

    def stop(self) -> None:
        """End the thread after the commit that runs."""
        self._thread.stop()

    async def _store_group(self, group: list[Waiting]) -> None:
        self._metrics.group_size.observe(len(group))
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                ids = await self._thread.call(lambda: self._commit(group))
        except TimeoutError:
            # Whoever has gathered meanwhile would only wait behind the same database.
            self._fail([*group, *self._waiting], "the database takes too long")
            self._waiting.clear()
            return
        except Exception as error:  # noqa: BLE001 -- whatever it is, every waiter is told
            # Not its text: a database repeats the row that it refuses.
            self._fail(group, "the database failed", error=engine.cause(error))
            return
        self._metrics.commits.labels("done").inc()
        self._ringer.want({BELLS[waiting.kind] for waiting in group})
        for waiting, event_id in zip(group, ids, strict=True):
            if not waiting.stored.done():
                waiting.stored.set_result(event_id)

    def _fail(self, group: Sequence[Waiting], message: str, **known: str) -> None:
        self._metrics.commits.labels("failed").inc()
        log.error("commit.failed", callbacks=len(group), reason=message, **known)
        for waiting in group:
            if not waiting.stored.done():
                waiting.stored.set_exception(NotStoredError(message))

    def _commit(self, group: list[Waiting]) -> list[str]:
        now = self._clock.now()
        events = [
            inbox.NewEvent(
                id=inbox.new_id(now, random_bits=self._random_bits),
                kind=waiting.kind,
                payload=waiting.payload,
                user_id=waiting.user_id,
                request_id=waiting.request_id,
                received_at=now,
            )
            for waiting in group
        ]
        with self._ledger.write_one() as session:  # all came at one time, so it is one statement
            inbox.store(session, events)
        return [event.id for event in events]
