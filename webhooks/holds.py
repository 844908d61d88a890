"""Callbacks that wait for their data: an entry in a table each, and one question for all of them.

Whoever hears of ends (`webhooks.waking`) has those asked about at once. Beside that one task asks
about everybody: each second while ends are surely heard, and else as often as a tenth of its time
allows, so a slow database is asked less often.
"""

import asyncio
import contextlib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import structlog

from db import inbox
from db.clock import Clock
from db.engine import Ledger
from db.inbox import Outcome
from db.listening import Heard
from webhooks.metrics import Metrics
from webhooks.solo import SoloThread

log = structlog.get_logger(__name__)

SHORTEST_PAUSE = 0.02
WOKEN_PAUSE = 0.002
LONGEST_PAUSE = 1.0
HEARD_EARLY = 10_000  # ends that may belong to callbacks whose commit we are just being told of
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
        self._woken = asyncio.Event()
        self._named: set[str] = set()  # who is asked about next
        self._everybody = False  # or is it everybody?
        self._early: dict[str, None] = {}  # in the order in which they were heard
        self._thread = SoloThread("holds")
        self._answered = True  # the last question
        self.surely_heard = False
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
        if event_id in self._early:
            self.wake(Heard(frozenset({event_id})))
        try:
            async with asyncio.timeout(self._seconds + GRACE_SECONDS):
                return await outcome
        except TimeoutError:
            return None
        finally:
            self._held.pop(event_id, None)
            self._metrics.held.set(len(self._held))
            self._metrics.hold_seconds.observe(loop.time() - began)

    async def anybody(self) -> None:
        """Return when somebody waits."""
        while not self._held:
            self._some.clear()
            await self._some.wait()

    def held(self) -> list[str]:
        """Whose end is waited for, the newest last; for any thread."""
        return list(self._held)

    def wake(self, heard: Heard) -> None:
        """Ask about these at once, and about everybody if others may have ended as well."""
        for event_id in heard.ids:
            if event_id in self._held:
                self._named.add(event_id)
            else:  # somebody else's, or ours, whose commit we are only just being told of
                self._early[event_id] = None
        while len(self._early) > HEARD_EARLY:
            del self._early[next(iter(self._early))]
        self._everybody |= heard.anything
        if self._named or self._everybody:
            self._woken.set()

    def release(self) -> None:
        """End all holds at once, and every later one: the receiver stops."""
        self.released = True
        for held in self._held.values():
            if not held.outcome.done():
                held.outcome.set_result(None)

    async def run(self) -> None:
        """Ask and tell until cancelled."""
        loop = asyncio.get_running_loop()
        rested_at = everybody_at = loop.time()
        while True:
            await self.anybody()
            asked_at = loop.time()
            everybody = asked_at >= (rested_at if self._everybody else everybody_at)
            ids = list(self._held) if everybody else list(self._named & self._held.keys())
            self._woken.clear()
            self._named.clear()
            self._everybody &= not everybody
            await self._ask(asked_at, ids, everybody=everybody)
            now = loop.time()
            if everybody:
                pause = min(PAUSES_PER_QUESTION * (now - asked_at), LONGEST_PAUSE)
                rested_at = now + max(WOKEN_PAUSE, pause)
                usual = LONGEST_PAUSE if self.surely_heard else SHORTEST_PAUSE
                everybody_at = now + max(usual, pause)
            await self._rest(until=rested_at if self._everybody else everybody_at)

    def stop(self) -> None:
        """End the thread after the question that runs."""
        self._thread.stop()

    async def _rest(self, *, until: float) -> None:
        now = asyncio.get_running_loop().time()
        first = next(iter(self._held.values()), None)
        if first is not None:
            until = min(until, max(first.until, now + SHORTEST_PAUSE))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, until - now)):
                await self._woken.wait()

    async def _ask(self, now: float, ids: Sequence[str], *, everybody: bool) -> None:
        over = [
            event_id
            for event_id, held in itertools.takewhile(
                lambda item: item[1].until <= now, self._held.items()
            )
        ]
        if not ids and not over:
            return
        try:
            look = self._look if everybody or over else self._look_at_ended
            found = await self._thread.call(lambda: look(ids, over))
        except Exception as error:  # noqa: BLE001 -- said below; the next question may be answered
            self._note(away=type(error).__name__, held=len(ids))
            found = {}
        else:
            self._note(away=None, held=len(ids))
        for event_id in (*over, *found):
            held = self._held.get(event_id)
            if held is not None and not held.outcome.done():
                held.outcome.set_result(found.get(event_id))

    def _note(self, *, away: str | None, held: int) -> None:
        """Say once that the ledger does not answer, and once that it does again."""
        if away is not None and self._answered:
            log.warning("holds.not_answered", held=held, error=away)
        elif away is None and not self._answered:
            log.info("holds.answered_again", held=held)
        self._answered = away is None

    def _look(self, ids: Sequence[str], over: Sequence[str]) -> dict[str, Outcome]:
        found: dict[str, Outcome] = {}
        with self._ledger.read() as session:
            tell = set(over) | inbox.ended(session, ids)
            for some in _in_parts(sorted(tell)):
                found |= inbox.outcomes(session, some, self._clock.now())
        return found

    def _look_at_ended(self, ids: Sequence[str], _over: Sequence[str]) -> dict[str, Outcome]:
        """The same of those that are said to have ended, which nearly always have."""
        found: dict[str, Outcome] = {}
        with self._ledger.reading_engine.connect() as connection:
            for some in _in_parts(ids):
                found |= inbox.how_ended(connection, some)
        return found


def _in_parts(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    # Every database has a limit to how many values one question may name.
    return (ids[at : at + IDS_PER_QUESTION] for at in range(0, len(ids), IDS_PER_QUESTION))
