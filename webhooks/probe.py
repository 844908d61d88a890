"""Whether work moves: the database, the broker, the workers, and how long due work has waited.

Each question runs in a thread of its own and is asked once at a time: a database that hangs makes
the answer "no answer", not one more stuck thread per look.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import structlog
from sqlalchemy.exc import SQLAlchemyError

from db import overdue, runs_listed, workers
from db.clock import Clock
from db.engine import Ledger
from db.runs_listed import Figures
from webhooks import queries
from webhooks.queries import Hindrances
from webhooks.ringer import Ringer
from webhooks.solo import SoloThread

log = structlog.get_logger(__name__)

PATIENCE_SECONDS = 2.0
LEDGER_FRESH_SECONDS = 0.5
BROKER_FRESH_SECONDS = 5.0

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerState:
    """What the ledger says of the work. Ages are in seconds."""

    inbox: dict[str, int]
    outbox: dict[str, int]
    oldest_due: float
    last_progress: float
    workers: int


class Question(Generic[Answer]):
    """Something that is asked at most once at a time, and whose answer is good for a while."""

    def __init__(self, thread: SoloThread, ask: Callable[[], Answer], *, fresh: float) -> None:
        self._thread = thread
        self._ask = ask
        self._fresh = fresh
        self._running: asyncio.Future[Answer] | None = None
        self._began = 0.0

    async def answer(self) -> Answer:
        """The answer; raises `TimeoutError`, or what the question raised."""
        now = asyncio.get_running_loop().time()
        if self._running is None or (self._running.done() and now - self._began > self._fresh):
            self._began = now
            self._running = self._thread.call(self._ask)
        done, _ = await asyncio.wait({self._running}, timeout=PATIENCE_SECONDS)
        if not done:
            raise TimeoutError
        return self._running.result()


class Probe:
    """Asks the ledger and the broker how they are."""

    def __init__(
        self, *, ledger: Ledger, clock: Clock, ringer: Ringer, broker_ok: Callable[[], bool]
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._thread = SoloThread("probe")
        self._ledger_state = Question(self._thread, self._look, fresh=LEDGER_FRESH_SECONDS)
        self._hindrances = Question(self._thread, self._hold_ups, fresh=LEDGER_FRESH_SECONDS)
        self._runs = Question(self._thread, self._followed, fresh=LEDGER_FRESH_SECONDS)
        self._broker = Question(ringer.thread, broker_ok, fresh=BROKER_FRESH_SECONDS)

    async def ledger_state(self) -> LedgerState | str:
        """What the ledger says, or why it says nothing."""
        return await _of_ledger(self._ledger_state)

    async def hindrances(self) -> Hindrances | str:
        """What holds work up, or why that is not known: for figures only, it costs more."""
        return await _of_ledger(self._hindrances)

    async def runs(self) -> Figures | str:
        """How the following of runs goes, or why that is not known."""
        return await _of_ledger(self._runs)

    async def broker_state(self) -> str:
        """`ok`, or what is wrong with the broker."""
        try:
            return "ok" if await self._broker.answer() else "not reachable"
        except TimeoutError:
            return f"no answer within {PATIENCE_SECONDS:g} s"

    def stop(self) -> None:
        """End the thread after the question that runs."""
        self._thread.stop()

    def _look(self) -> LedgerState:
        now = self._clock.now()
        with self._ledger.read() as session:
            return LedgerState(
                inbox=queries.inbox_by_state(session),
                outbox=queries.outbox_by_state(session),
                oldest_due=overdue.oldest(session, now),
                last_progress=overdue.last_progress(session, now),
                workers=workers.alive(session, now),
            )

    def _hold_ups(self) -> Hindrances:
        with self._ledger.read() as session:
            return queries.hindrances(session, self._clock.now())

    def _followed(self) -> Figures:
        with self._ledger.read() as session:
            return runs_listed.figures(session, self._clock.now())


async def _of_ledger(question: Question[Answer]) -> Answer | str:
    try:
        return await question.answer()
    except TimeoutError:
        return f"no answer within {PATIENCE_SECONDS:g} s"
    except SQLAlchemyError as error:
        log.warning("probe.database_failed", error=type(error).__name__)
        return f"failed: {type(error).__name__}"
