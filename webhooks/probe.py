"""Whether work moves: the database, the broker, the workers, and how long due work has waited.

Each question runs in a thread of its own and is asked once at a time: a database that hangs makes
the answer "no answer", not one more stuck thread per look.
"""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

import structlog
from sqlalchemy.exc import SQLAlchemyError

from db import movement, schema
from db.clock import Clock
from db.engine import Ledger
from db.movement import Movement
from webhooks import figures
from webhooks.figures import Figures
from webhooks.ringer import Ringer
from webhooks.solo import SoloThread

log = structlog.get_logger(__name__)

PATIENCE_SECONDS = 2.0
LEDGER_FRESH_SECONDS = 0.5
BROKER_FRESH_SECONDS = 5.0
FIGURES_FRESH_SECONDS = 5.0
FIGURES_STALE_SECONDS = 60.0

Answer = TypeVar("Answer")


class Question(Generic[Answer]):
    """Something that is asked at most once at a time, and whose answer is good for a while.

    `stale`: seconds for which the one before will do, where the next takes longer than anybody
    waits.
    """

    def __init__(
        self, thread: SoloThread, ask: Callable[[], Answer], *, fresh: float, stale: float = 0.0
    ) -> None:
        self._thread = thread
        self._ask = ask
        self._fresh = fresh
        self._stale = stale
        self._running: asyncio.Future[Answer] | None = None
        self._began = 0.0
        self._last: tuple[float, Answer] | None = None

    async def answer(self) -> Answer:
        """The answer; raises `TimeoutError`, or what the question raised."""
        now = asyncio.get_running_loop().time()
        if self._running is None or (self._running.done() and now - self._began > self._fresh):
            self._began = now
            self._running = self._thread.call(self._ask)
        done, _ = await asyncio.wait({self._running}, timeout=PATIENCE_SECONDS)
        if done:
            self._last = (self._began, self._running.result())
        if self._last is None or not (done or now - self._last[0] <= self._stale):
            raise TimeoutError
        return self._last[1]


class Probe:
    """Asks the ledger and the broker how they are."""

    def __init__(
        self, *, ledger: Ledger, clock: Clock, ringer: Ringer, broker_ok: Callable[[], bool]
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._thread = SoloThread("probe")
        self._counting = SoloThread("figures")  # counting may take a while: nobody waits behind it
        self._movement = Question(self._thread, self._look, fresh=LEDGER_FRESH_SECONDS)
        self._figures = Question(
            self._counting, self._count, fresh=FIGURES_FRESH_SECONDS, stale=FIGURES_STALE_SECONDS
        )
        self._broker = Question(ringer.thread, broker_ok, fresh=BROKER_FRESH_SECONDS)

    async def movement(self) -> Movement | str:
        """Whether work moves, or why the ledger does not say."""
        return await _of_ledger(self._movement)

    async def figures(self) -> Figures | str:
        """How everything stands, or why that is not known."""
        return await _of_ledger(self._figures)

    async def broker_state(self) -> str:
        """`ok`, or what is wrong with the broker."""
        try:
            return "ok" if await self._broker.answer() else "not reachable"
        except TimeoutError:
            return f"no answer within {PATIENCE_SECONDS:g} s"

    def stop(self) -> None:
        """End the threads after the questions that run."""
        self._thread.stop()
        self._counting.stop()

    def _look(self) -> Movement:
        with self._ledger.read() as session:
            schema.writable(session)
            return movement.look(session, self._clock.now())

    def _count(self) -> Figures:
        with self._ledger.read() as session:
            return figures.read(session, self._clock.now())


async def _of_ledger(question: Question[Answer]) -> Answer | str:
    try:
        return await question.answer()
    except TimeoutError:
        return f"no answer within {PATIENCE_SECONDS:g} s"
    except schema.ReadOnlyError as error:
        return str(error)
    except SQLAlchemyError as error:
        log.warning("probe.database_failed", error=type(error).__name__)
        return f"failed: {type(error).__name__}"
