"""Packets: an answer of known length is written once, and nothing that was written is kept back."""

import asyncio

import pytest
import uvicorn
from starlette.responses import JSONResponse, Response, StreamingResponse
from uvicorn.server import ServerState

from webhooks.protocol import BoundedProtocol

ASK = b"%s / HTTP/1.1\r\nHost: x\r\n%s\r\n"


class Wire:
    """A connection that remembers each write."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        """Send."""
        assert not self.closed
        self.written.append(data)

    def close(self) -> None:
        """Nothing after it."""
        self.closed = True

    def abort(self) -> None:
        """The same."""
        self.closed = True

    def is_closing(self) -> bool:
        """Was it closed?"""
        return self.closed

    def pause_reading(self) -> None:
        """Nothing more is read."""

    def resume_reading(self) -> None:
        """It is."""

    def get_extra_info(self, _name: str, default: object = None) -> object:
        """Nobody is at the other end."""
        return default


def _written(app, asked: bytes, wire: Wire | None = None) -> Wire:
    """What is written when this is asked."""
    wire = Wire() if wire is None else wire

    async def ask() -> Wire:
        config = uvicorn.Config(app, lifespan="off", log_config=None, server_header=False)
        config.load()
        state = ServerState()
        connection = BoundedProtocol(config, state, {})
        connection.connection_made(wire)
        connection.data_received(asked)
        while state.tasks:
            await asyncio.gather(*state.tasks, return_exceptions=True)
        connection.connection_lost(None)
        return wire

    return asyncio.run(ask())


@pytest.mark.parametrize("body", [b"", b"x", b"x" * 100_000])
def test_a_whole_answer_is_one_write(body):
    """Head and body together, however long the body is."""
    (written,) = _written(Response(body), ASK % (b"GET", b"")).written
    head, _, rest = written.partition(b"\r\n\r\n")

    assert b"content-length: %d" % len(body) in head
    assert rest == body


def test_an_answer_without_a_body_leaves_too():
    """To HEAD nothing follows the head."""
    (written,) = _written(JSONResponse({}), ASK % (b"HEAD", b"")).written

    assert written.startswith(b"HTTP/1.1 200 ")
    assert written.endswith(b"\r\n\r\n")


def test_an_answer_without_content_leaves_too():
    """204 has no length and no body."""
    written = b"".join(_written(Response(status_code=204), ASK % (b"GET", b"")).written)

    assert written.startswith(b"HTTP/1.1 204 ")
    assert written.endswith(b"\r\n\r\n")


def test_the_last_answer_leaves_before_the_connection_closes():
    """A caller that wants no second answer gets the first."""
    wire = _written(JSONResponse({}), ASK % (b"HEAD", b"Connection: close\r\n"))

    assert b"".join(wire.written).startswith(b"HTTP/1.1 200 ")
    assert wire.closed


def test_a_stream_begins_at_once():
    """Its head does not wait for a first part, which may take long."""
    wire, seen = Wire(), []

    async def parts():
        seen.append(len(wire.written))
        yield b"one"

    async def app(scope, receive, send):
        await StreamingResponse(parts())(scope, receive, send)

    _written(app, ASK % (b"GET", b""), wire)

    assert seen == [1]


def test_a_body_is_asked_for_before_it_is_waited_for():
    """100 Continue is no head of an answer: it leaves while the answer is not begun."""
    wire, seen = Wire(), []

    async def app(scope, receive, send):
        await receive()
        seen.extend(wire.written)
        await JSONResponse({})(scope, receive, send)

    expecting = b"Expect: 100-continue\r\nContent-Length: 1\r\n"
    _written(app, ASK % (b"POST", expecting) + b"x", wire)

    assert seen == [b"HTTP/1.1 100 Continue\r\n\r\n"]


def test_an_answer_that_breaks_off_says_how_it_began():
    """Whoever fails between head and body has sent the head, and the connection ends."""

    async def app(_scope, _receive, send):
        headers = [(b"content-length", b"5")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        message = "no body"
        raise RuntimeError(message)

    wire = _written(app, ASK % (b"GET", b""))

    assert b"".join(wire.written).startswith(b"HTTP/1.1 200 ")
    assert wire.closed


def test_pipelined_answers_are_one_write_each():
    """The second is begun where the first ends, and takes nothing of it along."""
    wire = _written(JSONResponse({"a": 1}), ASK % (b"GET", b"") * 2)

    assert [part.count(b"HTTP/1.1 200 ") for part in wire.written] == [1, 1]
