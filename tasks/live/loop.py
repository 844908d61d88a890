"""The lasting loop of one process: many runs are followed in it, and written down once a second.

Celery tasks only bring it work and go; sockets live on between them. It renews the leases of what
it follows, hands the ended over, and gives the rest back when the process stops. One that is killed
gives nothing back: its leases end, and others take its runs.
"""

import asyncio
import concurrent.futures
import contextlib
import functools
import random
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import structlog
import uvloop
from sqlalchemy.exc import SQLAlchemyError

from db import runs
from db.runs import Held
from db.states import Lane
from tasks.live.follow import Follower
from tasks.live.source import LiveSource
from tasks.runtime import Runtime

log = structlog.get_logger(__name__)
T = TypeVar("T")

READERS = 8  # threads that ask sources
TICK_SECONDS = 1.0
RENEWED_EVERY = 3  # ticks
CLOSES_WITHIN = 2.5
STOPS_WITHIN = 3.0


class Desk:
    """Follows runs in a thread of its own, from the first that is taken until `stop`.

    `tick`: seconds from one writing to the next. `sleep` lets time go by for a follower.
    """

    def __init__(
        self,
        rt: Runtime,
        *,
        most: int,
        tick: float = TICK_SECONDS,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._rt = rt
        self._most = most
        self._tick = tick
        self._sleep = sleep
        self._lock = threading.Lock()
        self._followed: dict[int, Follower] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._readers = concurrent.futures.ThreadPoolExecutor(READERS, "run-reader")
        self._writer = concurrent.futures.ThreadPoolExecutor(1, "run-writer")
        self._calls: set[concurrent.futures.Future[Any]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._ended = asyncio.Event()
        self._stopping = False

    @property
    def room(self) -> int:
        """How many more runs may be taken."""
        return 0 if self._stopping else max(0, self._most - len(self._followed))

    def take(self, held: Sequence[tuple[Held, LiveSource]]) -> None:
        """Follow these runs from now on; their leases are ours.

        One that is followed here already, whose lease had ended while the ledger was away, goes on
        under the new one: a second follower would not know what the first was told to wait for.
        """
        with self._lock:
            if self._thread is None:
                started = threading.Event()
                self._thread = threading.Thread(
                    target=self._run, args=(started,), name="run-desk", daemon=True
                )
                self._thread.start()
                started.wait()
            new = []
            for one, source in held:
                follower = self._followed.get(one.id)
                if follower is None:
                    self._followed[one.id] = Follower(one, source, self)
                    new.append(one.id)
                else:
                    follower.go_on(one)
            loop = self._loop
        if loop is not None:
            loop.call_soon_threadsafe(self._begin, new)

    def stop(self) -> None:
        """Close every socket and give back what is not over."""
        self._stopping = True
        with self._lock:
            loop, thread = self._loop, self._thread
        if loop is not None and thread is not None:
            with contextlib.suppress(RuntimeError):  # it has ended
                loop.call_soon_threadsafe(self._end)
            thread.join(STOPS_WITHIN)
        self._readers.shutdown(wait=False, cancel_futures=True)
        self._writer.shutdown(wait=False, cancel_futures=True)
        concurrent.futures.wait(set(self._calls), timeout=STOPS_WITHIN)
        held = [follower.held for follower in self._followed.values()]
        if held:
            with self._rt.ledger.write() as session:
                runs.release(session, held, due_at=self._rt.clock.now())

    def now(self) -> float:
        """See `tasks.live.follow_desk.Desk`."""
        return self._rt.clock.now()

    @property
    def rng(self) -> random.Random:
        """See `tasks.live.follow_desk.Desk`."""
        return self._rt.rng

    async def sleep(self, seconds: float) -> None:
        """See `tasks.live.follow_desk.Desk`."""
        await self._sleep(seconds)

    def blocking(self, call: Callable[[], T]) -> Awaitable[T]:
        """See `tasks.live.follow_desk.Desk`."""
        return asyncio.wrap_future(self._submit(self._readers, call))

    def _submit(
        self, pool: concurrent.futures.Executor, call: Callable[[], T]
    ) -> concurrent.futures.Future[T]:
        """Have a thread make this call; whoever stops waits a while for it."""
        made = pool.submit(call)
        self._calls.add(made)
        made.add_done_callback(self._calls.discard)
        return made

    def _run(self, started: threading.Event) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            self._loop = runner.get_loop()
            started.set()
            runner.run(self._live())

    def _begin(self, ids: Sequence[int]) -> None:
        for run_id in ids:
            follower = self._followed.get(run_id)
            if follower is not None:
                task = asyncio.ensure_future(follower.follow())
                self._tasks[run_id] = task
                task.add_done_callback(functools.partial(self._fell, run_id))

    def _fell(self, run_id: int, done: "asyncio.Task[None]") -> None:
        """A follower ended: over, dropped, or by a fault of ours, which costs only itself."""
        if done.cancelled() or done.exception() is None:
            return
        log.error("run.follower_failed", run=run_id, exc_info=done.exception())
        follower = self._followed.pop(run_id, None)
        self._tasks.pop(run_id, None)
        if follower is not None:  # looked at again, by whoever has room, in a while
            self._submit(self._writer, functools.partial(self._give_back, follower.held))

    def _give_back(self, held: Held) -> None:
        with self._rt.ledger.write() as session:
            runs.release(session, [held], due_at=self._rt.clock.now() + 60.0)

    def _end(self) -> None:
        self._ended.set()

    async def _live(self) -> None:
        """Until it is told to end; then every follower closes what it has open."""
        ticking = asyncio.create_task(self._tick_for_ever())
        await self._ended.wait()
        tasks = [ticking, *self._tasks.values()]
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=CLOSES_WITHIN)

    async def _tick_for_ever(self) -> None:
        loop = asyncio.get_running_loop()
        number, at = 0, loop.time()
        while True:
            at = max(at + self._tick, loop.time())
            await asyncio.sleep(at - loop.time())
            for follower in list(self._followed.values()):
                follower.tick()
            number += 1
            try:
                await self._write(renew=number % RENEWED_EVERY == 0)
            except SQLAlchemyError as error:
                log.warning("runs.not_written", reason=type(error).__name__)  # the next tick may

    async def _write(self, *, renew: bool) -> None:
        followed = list(self._followed.values())
        ended = [one for one in followed if one.ended_at is not None]
        changed = [one for one in followed if one.dirty and one.ended_at is None]
        for one in (*changed, *ended):
            one.dirty = False
        if not (ended or changed or (renew and followed)):
            return
        held = [one.held for one in followed]
        try:
            writing = functools.partial(self._written, changed, ended, held if renew else [])
            kept, woken = await asyncio.wrap_future(self._submit(self._writer, writing))
        except SQLAlchemyError:
            for one in (*changed, *ended):
                one.dirty = True
            raise
        for one in ended:
            self._drop(one.held.id)
        for one, other in zip(followed, held, strict=True) if renew else ():
            if other.id not in kept and one.held is other and other.id in self._followed:
                log.info("run.taken_over", run=other.id)
                self._drop(other.id)
        if woken:
            self._rt.ring("sync", Lane.DEFAULT.name.lower())

    def _written(
        self, changed: Sequence[Follower], ended: Sequence[Follower], held: Sequence[Held]
    ) -> tuple[set[int], bool]:
        """In one transaction; the ids that are still ours, and whether feeds were woken."""
        now, woken = self._rt.clock.now(), False
        with self._rt.ledger.write() as session:
            runs.keep(session, [(one.held, one.seen()) for one in changed])
            for one in ended:
                at = one.ended_at if one.ended_at is not None else now
                woken |= runs.finish(session, one.held, one.seen(), ended_at=at, now=now)
            over = {one.held.id for one in ended}
            kept = runs.renew(session, [one for one in held if one.id not in over], now)
        return kept | over, woken

    def _drop(self, run_id: int) -> None:
        self._followed.pop(run_id, None)
        task = self._tasks.pop(run_id, None)
        if task is not None:
            task.cancel()
