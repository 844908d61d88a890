"""Callbacks that wait for their data: an entry in a table each, and one question for all of them.

While anybody waits, one task asks the ledger which of the events have ended. It spends at most a
tenth of its time asking, so a slow database is asked less often.
"""

import asyncio
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import structlog

from db import inbox
from db.clock import Clock
from db.engine import Ledger
from db.inbox import Outcome
from webhooks.metrics import Metrics
from webhooks.solo import SoloThread

log = structlog.get_logger(__name__)

SHORTEST_PAUSE = 0.02
LONGEST_PAUSE = 1.0
PAUSES_PER_QUESTION = 10
IDS_PER_QUESTION = 500
GRACE_SECONDS = 2.0  # for the last question of a hold, when the database is slow


@dataclass(frozen=True, slots=True)
class Held:
    """A callback that waits; `until` is in the loop's time."""

    outcome: asyncio.Future[Outcome | None]
    until: float


class Holds:
    """Everybody who waits for an event to end; `run` has to be running for that."""

    def __init__(self, *, ledger: Ledger, clock: Clock, seconds: float, metrics: Metrics) -> None:
        self._ledger = ledger
        self._clock = clock
        self._seconds = seconds
        self._metrics = metrics
        self._held: dict[str, Held] = {}  # in the order of `until`: all are held equally long
        self._some = asyncio.Event()
        self._thread = SoloThread("holds")
        self.released = False

    async def wait(self, event_id: str) -> Outcome | None:
        """Where the event stands when it has ended or the time is over.

        None when that is not known: the receiver stops, or the database does not answer.
        """
        if self.released or self._seconds <= 0:
            return None
        loop = asyncio.get_running_loop()
        began = loop.time()
        outcome: asyncio.Future[Outcome | None] = loop.create_future()
        self._held[event_id] = Held(outcome, began + self._seconds)
        self._metrics.held.set(len(self._held))
        self._some.set()
        try:
            async with asyncio.timeout(self._seconds + GRACE_SECONDS):
                return await outcome
        except TimeoutError:
            return None
        finally:
            self._held.pop(event_id, None)
            self._metrics.held.set(len(self._held))
            self._metrics.hold_seconds.observe(loop.time() - began)

    def release(self) -> None:
        """End all holds at once, and every later one: the receiver stops."""
        self.released = True
        for held in self._held.values():
            if not held.outcome.done():
                held.outcome.set_result(None)

    async def run(self) -> None:
        """Ask and tell until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            if not self._held:
                self._some.clear()
                await self._some.wait()
            asked_at = loop.time()
            await self._ask(asked_at)
            pause = max(SHORTEST_PAUSE, PAUSES_PER_QUESTION * (loop.time() - asked_at))
            await asyncio.sleep(min(pause, LONGEST_PAUSE, self._next_end(loop.time())))

    def stop(self) -> None:
        """End the thread after the question that runs."""
        self._thread.stop()

    def _next_end(self, now: float) -> float:
        first = next(iter(self._held.values()), None)
        return LONGEST_PAUSE if first is None else max(SHORTEST_PAUSE, first.until - now)

    async def _ask(self, now: float) -> None:
        ids = list(self._held)
        over = [
            event_id
            for event_id, held in itertools.takewhile(
                lambda item: item[1].until <= now, self._held.items()
            )
        ]
        try:
            found = await self._thread.call(lambda: self._look(ids, over))
        except Exception as error:  # noqa: BLE001 -- said below; the next question may be answered
            log.warning("holds.not_answered", held=len(ids), error=type(error).__name__)
            found = {}
        for event_id in (*over, *found):
            held = self._held.get(event_id)
            if held is not None and not held.outcome.done():
                held.outcome.set_result(found.get(event_id))

    def _look(self, ids: Sequence[str], over: Sequence[str]) -> dict[str, Outcome]:
        found: dict[str, Outcome] = {}
        with self._ledger.read() as session:
            tell = set(over)
            for some in _in_parts(ids):
                tell |= inbox.ended(session, some)
            for some in _in_parts(sorted(tell)):
                found |= inbox.outcomes(session, some, self._clock.now())
        return found


def _in_parts(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    # Every database has a limit to how many values one question may name.
    return (ids[at : at + IDS_PER_QUESTION] for at in range(0, len(ids), IDS_PER_QUESTION))
