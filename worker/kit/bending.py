"""An ASGI middleware that changes chosen answers of a trial's vendor, and keeps all of them."""

import asyncio
import dataclasses
import threading
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

PARTS = 4
PAUSE = 0.002  # seconds between the parts of a slow answer
DRIPS = 1200  # of an answer that does not end by itself
DRIP = 0.05  # seconds


@dataclasses.dataclass(frozen=True, slots=True)
class Reply:
    """One answer, and what it answers. `slow`: in parts; `endless`: a space from time to time."""

    path: str
    query: str
    request_headers: tuple[tuple[bytes, bytes], ...]
    request_body: bytes
    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    slow: bool = False
    endless: bool = False


Change = Callable[[Reply], Reply]


class Bending:
    """`kept` are the answers of the app as they were before they were changed."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._lock = threading.Lock()
        self._change: Change | None = None
        self._from = self._until = self._seen = 0
        self.kept: list[Reply] = []

    def bend(self, change: Change | None, *, at: int = 0, once: bool = False) -> None:
        """Change the answer number `at` from now on, and those after it; None: none."""
        with self._lock:
            self._change, self._seen = change, 0
            self._from, self._until = at, at if once else 10**9
            self.kept = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        reply = await self._answered(scope, receive)
        with self._lock:
            number, change = self._seen, self._change
            self._seen += 1
            self.kept.append(reply)
        if change is not None and self._from <= number <= self._until:
            reply = change(reply)
        await _sent(reply, send)

    async def _answered(self, scope: Scope, receive: Receive) -> Reply:
        given, body = bytearray(), bytearray()
        head: Message = {"status": 500, "headers": []}

        async def noted() -> Message:
            message = await receive()
            given.extend(message.get("body", b""))
            return message

        async def keep(message: Message) -> None:
            if message["type"] == "http.response.start":
                head.update(message)
            else:
                body.extend(message.get("body", b""))

        await self._app(scope, noted, keep)
        return Reply(
            path=scope["path"],
            query=scope["query_string"].decode("latin-1"),
            request_headers=tuple(scope["headers"]),
            request_body=bytes(given),
            status=head["status"],
            headers=tuple((bytes(name), bytes(value)) for name, value in head["headers"]),
            body=bytes(body),
        )


async def _sent(reply: Reply, send: Send) -> None:
    headers = [pair for pair in reply.headers if pair[0].lower() != b"content-length"]
    if not reply.endless:
        headers.append((b"content-length", str(len(reply.body)).encode()))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    parts = [reply.body]
    if reply.endless:
        parts = [b" "] * DRIPS
    elif reply.slow:
        size = max(1, -(-len(reply.body) // PARTS))
        parts = [reply.body[at : at + size] for at in range(0, len(reply.body), size)]
    for part in parts:
        await send({"type": "http.response.body", "body": part, "more_body": True})
        if reply.slow or reply.endless:
            await asyncio.sleep(DRIP if reply.endless else PAUSE)
    await send({"type": "http.response.body", "body": b""})
