"""How each fault is carried out on the connection."""

import asyncio
import json
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from starlette.types import ASGIApp, Message, Receive, Scope, Send

if TYPE_CHECKING:
    from simulators.faults import Fault

_CHUNK = 256 * 1024


class Connection(Protocol):
    """What is used of uvicorn's transport, which is asyncio's or uvloop's."""

    def abort(self) -> None:
        """Closes at once."""

    def close(self) -> None:
        """Closes after what is buffered has been sent."""

    def is_closing(self) -> bool:
        """Whether it is closed or about to be."""

    def get_extra_info(self, name: str) -> Any:  # noqa: ANN401 - as in asyncio
        """`socket` gives the socket."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request in the hands of a fault."""

    app: ASGIApp
    scope: Scope
    receive: Receive
    send: Send
    transport: Connection | None


@dataclass(slots=True)
class _Kept:
    """An answer of the app, kept back."""

    status: int = 500
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = list(message.get("headers", []))
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")


def transport_of(send: Any) -> Connection | None:  # noqa: ANN401 - whatever the server made
    """The connection behind uvicorn's own `send`; None under another server or a wrapper."""
    transport: Connection | None = getattr(getattr(send, "__self__", None), "transport", None)
    return transport


async def drop(call: Call, *, hard: bool) -> None:
    """Ends the connection at once; `hard` sends RST instead of FIN."""
    if call.transport is None:
        raise RuntimeError("this fault needs a real socket: serve the simulator with LocalServer")
    if hard:
        raw = call.transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    call.transport.abort()
    # uvicorn would report a missing answer unless it has noticed the loss first.
    while (await call.receive())["type"] != "http.disconnect":
        pass


def _gone(call: Call) -> bool:
    return call.transport is not None and call.transport.is_closing()


async def _answer(call: Call) -> _Kept:
    kept = _Kept()
    await call.app(call.scope, call.receive, kept.send)
    return kept


async def _reply(
    call: Call, *, status: int, headers: list[tuple[bytes, bytes]], body: bytes
) -> None:
    await call.send({"type": "http.response.start", "status": status, "headers": headers})
    await call.send({"type": "http.response.body", "body": body})


async def _drain(call: Call) -> None:
    # An unread body would turn the end of the connection into a reset by itself.
    while True:
        message = await call.receive()
        if message["type"] != "http.request" or not message.get("more_body"):
            return


async def _status(fault: "Fault", call: Call) -> None:
    if fault.processed:
        await _answer(call)
    else:
        await _drain(call)
    if isinstance(fault.body, bytes):
        body, kind = fault.body, "application/octet-stream"
    elif isinstance(fault.body, str):
        body, kind = fault.body.encode(), "text/html; charset=utf-8"
    elif fault.body is None:
        body, kind = b"<html><body><h1>Sorry, something broke</h1></body></html>", "text/html"
    else:
        body, kind = json.dumps(fault.body).encode(), "application/json"
    headers = [
        (b"content-type", (fault.content_type or kind).encode()),
        (b"content-length", str(len(body)).encode()),
        *((name.lower().encode(), value.encode("utf-8")) for name, value in fault.headers.items()),
    ]
    if fault.retry_after is not None:
        headers.append((b"retry-after", fault.retry_after.encode("utf-8")))
    await _reply(call, status=fault.status, headers=headers, body=body)


async def _delay(_fault: "Fault", call: Call) -> None:
    await call.app(call.scope, call.receive, call.send)


async def _reset(_fault: "Fault", call: Call) -> None:
    await drop(call, hard=True)


async def _lose_reply(_fault: "Fault", call: Call) -> None:
    await _answer(call)
    await drop(call, hard=False)


async def _cut(_fault: "Fault", call: Call) -> None:
    kept = await _answer(call)
    headers = [header for header in kept.headers if header[0].lower() != b"content-length"]
    headers.append((b"content-length", str(max(2, len(kept.body))).encode()))
    await call.send({"type": "http.response.start", "status": kept.status, "headers": headers})
    half = kept.body[: len(kept.body) // 2]
    await call.send({"type": "http.response.body", "body": half, "more_body": True})
    if call.transport is not None:
        call.transport.close()
        while (await call.receive())["type"] != "http.disconnect":
            pass


async def _dribble(fault: "Fault", call: Call) -> None:
    kept = await _answer(call)
    await call.send({"type": "http.response.start", "status": kept.status, "headers": kept.headers})
    for position in range(len(kept.body)):
        await asyncio.sleep(fault.interval)
        if _gone(call):
            return
        byte = kept.body[position : position + 1]
        await call.send({"type": "http.response.body", "body": byte, "more_body": True})
    await call.send({"type": "http.response.body", "body": b""})


async def _huge(fault: "Fault", call: Call) -> None:
    await _drain(call)
    headers = [(b"content-type", (fault.content_type or "application/json").encode())]
    await call.send({"type": "http.response.start", "status": 200, "headers": headers})
    left = max(0, fault.size - 2)
    await call.send({"type": "http.response.body", "body": b'"', "more_body": True})
    while left > 0 and not _gone(call):
        part = b"x" * min(_CHUNK, left)
        left -= len(part)
        await call.send({"type": "http.response.body", "body": part, "more_body": True})
    await call.send({"type": "http.response.body", "body": b'"'})


async def _content_type(fault: "Fault", call: Call) -> None:
    kept = await _answer(call)
    headers = [header for header in kept.headers if header[0].lower() != b"content-type"]
    headers.append((b"content-type", (fault.content_type or "text/html").encode()))
    await _reply(call, status=kept.status, headers=headers, body=kept.body)


async def _invalid_json(_fault: "Fault", call: Call) -> None:
    kept = await _answer(call)
    body = b'{"values": [1, 2,'
    headers = [header for header in kept.headers if header[0].lower() != b"content-length"]
    headers.append((b"content-length", str(len(body)).encode()))
    await _reply(call, status=kept.status, headers=headers, body=body)


ACTIONS: dict[str, Callable[["Fault", Call], Awaitable[None]]] = {
    "status": _status,
    "delay": _delay,
    "reset": _reset,
    "lose_reply": _lose_reply,
    "cut": _cut,
    "dribble": _dribble,
    "huge": _huge,
    "content_type": _content_type,
    "invalid_json": _invalid_json,
}
