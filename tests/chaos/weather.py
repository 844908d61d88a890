"""A third of all calls to the vendors go wrong, and who comes before the time it was told is noted.

ASGI middleware around all simulators. Which calls go wrong and how is drawn from the seed. A socket
is a call too: it is refused, or closed while it is in use.
"""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate, parsedate_to_datetime

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from simulators import fault_actions, limiter_keys, limiter_wire
from simulators.faults import Fault
from simulators.main import BIME_PREFIX, BMPARTS_PREFIX, RIME_HOST

SHARE = 1 / 3
REFUSALS = (429, 503)
FULL = 5_000_000  # bytes
PAST_PATIENCE = (9.0, 12.0)  # seconds; a request of Waggle's is given up after 8 at most
# Close codes of sockets, 0: no close frame. The last one says that a login is no good any more.
CLOSES = (0, 0, 1000, 1001, 1011, 1012, 1013, 4401)
USED = (0.1, 8.0)  # seconds for which a socket that is closed was in use


@dataclass(frozen=True, slots=True)
class Told:
    """A time that an answer named to whoever asks under `key`; UTC seconds."""

    key: str
    at: float
    until: float


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request; UTC seconds."""

    key: str
    at: float
    path: str


def _ways(rng: random.Random) -> list[tuple[int, Callable[[], Fault]]]:
    """How often each way is chosen, and what it is."""

    def refused(status: int, hint: str | None) -> Fault:
        return Fault(status=status, retry_after=hint)

    def date() -> str:
        return formatdate(time.time() + rng.uniform(1, 4), usegmt=True)

    return [
        # A 429 teaches a pace, and there is none to be learned here: a 503 only closes the gate.
        (1, lambda: refused(429, str(rng.randint(1, 3)))),
        (1, lambda: refused(429, date())),
        (1, lambda: refused(429, None)),
        (3, lambda: refused(503, str(rng.randint(1, 3)))),
        (2, lambda: refused(503, date())),
        (3, lambda: refused(503, None)),
        (3, lambda: refused(500, None)),
        (2, lambda: refused(502, None)),
        (2, lambda: Fault(status=502, processed=True)),
        (4, lambda: Fault(action="reset")),
        (6, lambda: Fault(action="lose_reply")),
        (1, lambda: Fault(action="lose_reply", interval=rng.uniform(*PAST_PATIENCE))),
        (3, lambda: Fault(action="cut")),
        (1, lambda: Fault(action="dribble", interval=rng.uniform(0.001, 0.05))),
        (3, lambda: Fault(action="delay", delay=rng.uniform(0.2, 3.0))),
        (1, lambda: Fault(action="huge", size=FULL)),
        (1, lambda: Fault(action="content_type")),
        (2, lambda: Fault(action="invalid_json")),
    ]


class Weather:
    """Bad while `bad` is set. `told` and `arrivals` are what the judgement reads.

    `hang_up` closes the sockets of a run with a code.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        seed: int,
        hang_up: Callable[..., object],
        share: float = SHARE,
    ) -> None:
        self._app = app
        self._hang_up = hang_up
        self._rng = random.Random(seed)
        self._share = share
        self._ways = _ways(self._rng)
        self.bad = False
        self.calls = 0
        self.broken: dict[str, int] = {}
        self.told: list[Told] = []
        self.arrivals: list[Arrival] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "websocket":
            await self._open(scope, receive, send)
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        await self._serve(*await limiter_wire.with_form(scope, receive), send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        key = key_of(scope)
        self.calls += 1
        self.arrivals.append(Arrival(key, time.time(), scope["path"]))

        async def note(message: Message) -> None:
            leaves_at = time.time()
            await send(message)
            if message["type"] == "http.response.start" and message["status"] in REFUSALS:
                self._note(key, message, leaves_at)

        if not self.bad or self._rng.random() >= self._share:
            await self._app(scope, receive, note)
            return
        weights = [weight for weight, _ in self._ways]
        fault = self._rng.choices([make for _, make in self._ways], weights)[0]()
        silent = fault.action == "lose_reply" and fault.interval
        named = fault.action if fault.action != "status" else str(fault.status)
        self._count("silence" if silent else named)
        call = fault_actions.Call(
            app=_slow(self._app, fault.interval) if silent else self._app,
            scope=scope,
            receive=receive,
            send=note,
            transport=fault_actions.transport_of(send),
        )
        if fault.delay:
            await asyncio.sleep(fault.delay)
        await fault_actions.ACTIONS[fault.action](fault, call)

    async def _open(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A socket."""
        key = key_of(scope)
        self.calls += 1
        self.arrivals.append(Arrival(key, time.time(), scope["path"]))
        if not self.bad or self._rng.random() >= self._share:
            await self._app(scope, receive, send)
        elif self._rng.random() < 1 / 2:
            await self._refuse(key, receive, send)
        else:
            self._count("hung up")
            run, code = scope["path"].rpartition("/")[2], self._rng.choice(CLOSES)
            asyncio.get_running_loop().call_later(
                self._rng.uniform(*USED), lambda: self._hang_up(code, run=run)
            )
            await self._app(scope, receive, send)

    async def _refuse(self, key: str, receive: Receive, send: Send) -> None:
        """Answer the upgrade with a status instead."""
        self._count("refused socket")
        await receive()
        status, hint = self._rng.choice(((500, None), (502, None), (503, None), (503, b"2")))
        headers = [] if hint is None else [(b"retry-after", hint)]
        start = {"type": "websocket.http.response.start", "status": status, "headers": headers}
        leaves_at = time.time()
        await send(start)
        await send({"type": "websocket.http.response.body", "body": b""})
        if hint is not None:
            self._note(key, start, leaves_at)

    def _count(self, named: str) -> None:
        self.broken[named] = self.broken.get(named, 0) + 1

    def _note(self, key: str, message: Message, leaves_at: float) -> None:
        given = dict(message["headers"]).get(b"retry-after")
        if given is None:
            return
        # Whoever hears it counts from then, which may be a while before it is noted here.
        text = given.decode()
        wait = float(text) if text.isdigit() else None
        until = parsedate_to_datetime(text).timestamp() if wait is None else leaves_at + wait
        self.told.append(Told(key, time.time(), until))


def _slow(app: ASGIApp, seconds: float) -> ASGIApp:
    """Does what it is asked to, and then says nothing for so long."""

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await app(scope, receive, send)
        await asyncio.sleep(seconds)

    return slow


def key_of(scope: Scope) -> str:
    """What the vendor counts by: who asks, and at RIME the endpoint too."""
    path = scope["path"]
    who = limiter_keys.token(scope)
    if path.startswith("/plant/"):
        return "/".join(path.split("/")[:3])
    if path.startswith(RIME_HOST):
        return f"rime {scope.get('method', 'socket')} {path}"
    for prefix in (BIME_PREFIX, BMPARTS_PREFIX):
        if path.startswith(prefix):
            return f"{prefix} {who}"
    return f"beeminder {who}"
