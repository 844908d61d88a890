"""Trouble on request: an outermost middleware that breaks chosen answers on a real socket.

The same faults can be added from Python (`faults.add(Fault(...))`) and over HTTP
(`POST /_sim/faults` with the same names as JSON, `DELETE /_sim/faults`). What arrived can be read
with `faults.requests` and `GET /_sim/requests`. Paths under `/_sim/` are neither logged nor broken.
"""

import asyncio
import random
import re
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, get_args

from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from simulators import fault_actions
from simulators.request_log import BODY_KEPT, Request, RequestLog

Action = Literal[
    "status",  # answer `status` without processing, or after it when `processed`
    "delay",  # only wait `delay` seconds, then answer as usual
    "reset",  # RST before the request is processed
    "lose_reply",  # process it, then drop the connection without a byte
    "cut",  # process it, send the head and half of the body, drop the connection
    "dribble",  # the usual answer, one byte every `interval` seconds
    "huge",  # 200 with a JSON string of `size` bytes
    "content_type",  # the usual answer labelled `content_type`
    "invalid_json",  # the usual head with a body that is no JSON
]


@dataclass(slots=True, kw_only=True)
class Fault:
    """One kind of trouble and the requests it meets.

    `path` is a regular expression searched in the whole path. The first `after` matching requests
    are spared, then `times` are hit (None: all), each with `probability`. `delay` (seconds) comes
    before any action. `body` is text, bytes, or what goes out as JSON.
    """

    action: Action = "status"
    method: str | None = None
    path: str = ""
    after: int = 0
    times: int | None = 1
    probability: float = 1.0
    delay: float = 0.0
    status: int = 503
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    retry_after: str | None = None
    content_type: str | None = None
    processed: bool = False
    interval: float = 0.0
    size: int = 64 * 1024 * 1024
    seen: int = 0
    hits: int = 0

    def __post_init__(self) -> None:
        if self.action not in get_args(Action):
            raise ValueError(f"action {self.action!r} is none of {', '.join(get_args(Action))}")
        re.compile(self.path)

    def meets(self, method: str, path: str, rng: random.Random) -> bool:
        """Whether this request is hit; counts it."""
        if self.method not in (None, method) or not re.search(self.path, path):
            return False
        if self.times is not None and self.hits >= self.times:
            return False
        self.seen += 1
        if self.seen <= self.after or rng.random() >= self.probability:
            return False
        self.hits += 1
        return True


class Faults:
    """ASGI middleware around a simulator; also its request log."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        seed: int = 0,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.app = app
        self.log = RequestLog(clock, monotonic)
        self._faults: list[Fault] = []
        self._rng = random.Random(seed)  # noqa: S311 - repeatable trouble, not a secret
        self._lock = threading.Lock()

    @property
    def requests(self) -> list[Request]:
        """All requests so far, oldest first."""
        return self.log.matching()

    def count(self, path: str = "", method: str | None = None) -> int:
        """How many requests had a path that contains the regular expression `path`."""
        return len(self.log.matching(path=path, method=method))

    def add(self, fault: Fault) -> Fault:
        """Adds a fault; the oldest that meets a request wins. Read `.hits` from what is given."""
        with self._lock:
            self._faults.append(fault)
        return fault

    def clear(self) -> None:
        """Heals everything."""
        with self._lock:
            self._faults.clear()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif scope["path"] in {"/_sim/faults", "/_sim/requests"}:
            await self._control(scope, receive, send)
        elif "/_sim/" in scope["path"]:
            await self.app(scope, receive, send)
        else:
            await self._serve(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        record, began = self.log.begin(
            method=scope["method"],
            path=scope["path"],
            query=scope["query_string"].decode("latin-1"),
            headers=scope["headers"],
        )

        async def receive_and_note() -> Message:
            message = await receive()
            if message["type"] == "http.request" and len(record.body) < BODY_KEPT:
                record.body = (record.body + message.get("body", b""))[:BODY_KEPT]
            return message

        async def send_and_note(message: Message) -> None:
            if message["type"] == "http.response.start":
                record.status = message["status"]
            await send(message)

        try:
            fault = self._choose(record)
            if fault is None:
                await self.app(scope, receive_and_note, send_and_note)
                return
            record.fault = fault.action
            if fault.delay:
                await asyncio.sleep(fault.delay)
            call = fault_actions.Call(
                app=self.app,
                scope=scope,
                receive=receive_and_note,
                send=send_and_note,
                transport=fault_actions.transport_of(send),
            )
            await fault_actions.ACTIONS[fault.action](fault, call)
        finally:
            self.log.end(record, began)

    def _choose(self, record: Request) -> Fault | None:
        with self._lock:
            for fault in self._faults:
                if fault.meets(record.method, record.path, self._rng):
                    return fault
        return None

    async def _control(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = HttpRequest(scope, receive)
        answer: Response
        if scope["path"] == "/_sim/requests":
            answer = self._show_requests(request)
        else:
            answer = await self._change_faults(request)
        await answer(scope, receive, send)

    def _show_requests(self, request: HttpRequest) -> Response:
        if request.method == "DELETE":
            self.log.clear()
            return Response(status_code=204)
        query = request.query_params
        found = self.log.matching(path=query.get("path", ""), method=query.get("method"))
        return JSONResponse(
            {
                "count": len(found),
                "total": self.log.total,
                "in_flight": self.log.in_flight,
                "most_in_flight": self.log.most_in_flight,
                "requests": [record.as_json() for record in found],
            }
        )

    async def _change_faults(self, request: HttpRequest) -> Response:
        if request.method == "DELETE":
            self.clear()
            return Response(status_code=204)
        if request.method == "POST":
            asked = await request.json()
            try:
                for fault in [_fault(e) for e in (asked if isinstance(asked, list) else [asked])]:
                    self.add(fault)
            except (ValueError, TypeError, re.error) as exc:
                return JSONResponse({"error": str(exc)}, status_code=422)
        with self._lock:
            shown = [{**asdict(fault), "body": None} for fault in self._faults]
        return JSONResponse({"faults": shown})


def _fault(asked: dict[str, Any]) -> Fault:
    known = {item.name for item in fields(Fault)} - {"seen", "hits"}
    if unknown := sorted(set(asked) - known):
        raise ValueError(f"unknown {unknown}; known are {sorted(known)}")
    return Fault(**asked)
