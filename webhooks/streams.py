"""People who watch a page: an entry each, and one task that reads for all of them.

While anybody watches, that task reads the ledger once a second, and less often where it is slow.
Each watcher is sent the newest that there is to say, and only when it differs from what was sent
last, so a browser that reads slowly costs no memory.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection

import structlog
from prometheus_client import Gauge
from sqlmodel import Session

from db.engine import Ledger
from webhooks.solo import SoloThread

log = structlog.get_logger(__name__)

MOST_WATCHERS = 200
EVERY_SECONDS = 1.0
LONGEST_PAUSE = 10.0
PAUSES_PER_QUESTION = 10
KEEP_ALIVE_SECONDS = 15.0
# Browsers come again by themselves, and then it is looked anew who they are and what they may see.
LASTS_SECONDS = 300.0
COME_AGAIN = b"retry: 2000\n\n"  # milliseconds
STILL_HERE = b":\n\n"

Read = Callable[[Session, Collection[int | None]], dict[int | None, str]]
"""What there is to say, in one line, to each of these people (None: who may see everybody's)."""
Form = Callable[[str], bytes]
"""A line as a server-sent event."""


def as_data(line: str) -> bytes:
    """An event that holds the line."""
    return b"data: %s\n\n" % line.encode()


class Watcher:
    """Somebody who watches what is theirs, or everybody's where `whose` is None."""

    def __init__(self, whose: int | None, first: str, *, seen: str | None = None) -> None:
        self.whose = whose
        self.woken = asyncio.Event()
        self._known = first
        self._next: str | None = None if first == seen else first

    def offer(self, line: str) -> None:
        """Send it, if it is not what was sent last."""
        if line != self._known:
            self._known = self._next = line
            self.woken.set()

    def take(self) -> str | None:
        """What is to be sent, once; None: nothing."""
        self.woken.clear()
        found, self._next = self._next, None
        return found


class Streams:
    """Everybody who watches one thing; `run` has to be running for that.

    `name` is for the log, `watching` the figure of how many there are.
    """

    def __init__(
        self,
        *,
        name: str,
        ledger: Ledger,
        read: Read,
        watching: Gauge,
        form: Form = as_data,
        every: float = EVERY_SECONDS,
        keep_alive: float = KEEP_ALIVE_SECONDS,
        lasts: float = LASTS_SECONDS,
        most: int = MOST_WATCHERS,
    ) -> None:
        self._name = name
        self._ledger = ledger
        self._read_lines = read
        self._watching = watching
        self._form = form
        self._every = every
        self._keep_alive = keep_alive
        self._lasts = lasts
        self._most = most
        self._watchers: set[Watcher] = set()
        self._some = asyncio.Event()
        self._released = asyncio.Event()
        self._thread = SoloThread(name)

    def join(self, whose: int | None, first: str, *, seen: str | None = None) -> Watcher | None:
        """Somebody more. None: there is no room, or an end.

        `first` is what there is to say now; they are told at once, if it is not what they have
        `seen`.
        """
        if self._released.is_set() or len(self._watchers) >= self._most:
            return None
        watcher = Watcher(whose, first, seen=seen)
        self._watchers.add(watcher)
        self._watching.set(len(self._watchers))
        self._some.set()
        return watcher

    def leave(self, watcher: Watcher) -> None:
        """They are gone."""
        self._watchers.discard(watcher)
        self._watching.set(len(self._watchers))

    async def parts(self, watcher: Watcher) -> AsyncIterator[bytes]:
        """What goes out to a watcher, in the form of server-sent events.

        https://html.spec.whatwg.org/multipage/server-sent-events.html
        """
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + self._lasts
        yield COME_AGAIN
        while not self._released.is_set() and loop.time() < ends_at:
            line = watcher.take()
            if line is not None:
                yield self._form(line)
                await _within(self._every, self._released)
            elif not await _within(min(self._keep_alive, ends_at - loop.time()), watcher.woken):
                yield STILL_HERE

    def release(self) -> None:
        """End all streams at once, and let nobody in any more: the receiver stops."""
        self._released.set()
        for watcher in self._watchers:
            watcher.woken.set()

    async def run(self) -> None:
        """Read and tell until cancelled."""
        loop = asyncio.get_running_loop()
        took = 0.0
        while True:
            if not self._watchers:
                self._some.clear()
                await self._some.wait()
            pause = max(self._every, PAUSES_PER_QUESTION * took)
            await asyncio.sleep(min(pause, max(self._every, LONGEST_PAUSE)))
            began = loop.time()
            await self._tell()
            took = loop.time() - began

    def stop(self) -> None:
        """End the thread after the question that runs."""
        self._thread.stop()

    async def _tell(self) -> None:
        whose = {watcher.whose for watcher in self._watchers}
        if not whose:
            return
        try:
            found = await self._thread.call(lambda: self._read(whose))
        except Exception as error:  # noqa: BLE001 -- said below; the next question may be answered
            log.warning(
                "streams.not_read",
                of=self._name,
                watchers=len(self._watchers),
                error=type(error).__name__,
            )
            return
        for watcher in self._watchers:
            if watcher.whose in found:  # else they came while it was read
                watcher.offer(found[watcher.whose])

    def _read(self, whose: Collection[int | None]) -> dict[int | None, str]:
        with self._ledger.read() as session:
            return self._read_lines(session, whose)


async def _within(seconds: float, event: asyncio.Event) -> bool:
    """Wait until it happens, but only for so long; whether it did."""
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False
