"""The vendor that both sides ask: it limits by tenant, and writes down whom it served when."""

import asyncio
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass

from starlette.types import ASGIApp, Receive, Scope, Send

from simulators.limiter import Limiter
from simulators.limiter_counts import Report
from simulators.windows import Window

LATENCY = 0.02  # seconds that an answer takes


@dataclass(frozen=True, slots=True)
class Served:
    """What has been served of some jobs: how many of them, the first instant and the last.

    `requests`: how many were served in all; one more than jobs is one that was wasted.
    """

    jobs: int
    requests: int
    first_at: float | None
    last_at: float | None


class Vendor:
    """`GET /<tenant>/jobs/<n>`: how often job n was asked for, after `latency` seconds.

    `app` has the limits in front of it, one window for each tenant. `clock` is in seconds. `asked`:
    when each job was asked for.
    """

    def __init__(self, *, clock: Callable[[], float], latency: float = LATENCY) -> None:
        self._clock = clock
        self._latency = latency
        self._lock = threading.Lock()
        self._counts: dict[int, int] = {}
        self._served: dict[int, float] = {}
        self._first: float | None = None
        self._requests = 0
        self.asked: dict[int, list[float]] = {}
        self.limiter = Limiter(self._answer, key=_tenant, clock=clock)
        self.app = self._note

    def begin(self, window: Window | None) -> None:
        """A new measurement, under this limit (None: none) for each tenant."""
        self.limiter.clear()
        if window is not None:
            self.limiter.set(window)
        with self._lock:
            self._served, self._first, self._requests = {}, None, 0

    def report(self) -> Report:
        """What the limiter has counted."""
        return self.limiter.report()

    def served(self, jobs: range) -> Served:
        """How far these jobs are; the first instant is that of the first request of all."""
        with self._lock:
            found = [at for job, at in self._served.items() if job in jobs]
            return Served(len(found), self._requests, self._first, max(found, default=None))

    async def _note(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self._first is None:
            self._first = self._clock()
        await self.limiter(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        if scope["type"] != "http":
            return
        at, job = self._clock(), int(scope["path"].rpartition("/")[2])
        with self._lock:
            self._served.setdefault(job, at)
            self._requests += 1
            count = self._counts[job] = self._counts.get(job, 0) + 1
            self.asked.setdefault(job, []).append(at)  # the answer of entry n is n + 1
        await asyncio.sleep(self._latency)
        await _say(send, {"value": count})


async def _say(send: Send, body: object) -> None:
    text = json.dumps(body).encode()
    fields = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(text))]
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    await send({"type": "http.response.body", "body": text})


def late(app: ASGIApp, seconds: float) -> ASGIApp:
    """The same server, further away."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await asyncio.sleep(seconds)
        await app(scope, receive, send)

    return answer


def _tenant(scope: Scope) -> str:
    return str(scope["path"]).split("/")[1]
