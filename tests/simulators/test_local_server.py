"""LocalServer starts before it returns, stops at once, and leaves nothing behind."""

import asyncio
import contextlib
import socket
import threading
import time

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from simulators.server import LocalServer


async def _hello(_request):
    return PlainTextResponse("hello")


async def _for_ever(_request):
    await asyncio.Event().wait()


async def _echo(websocket):
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(text)


async def _never_accepted(_websocket):
    await asyncio.Event().wait()


APP = Starlette(
    routes=[
        Route("/", _hello),
        Route("/held", _for_ever),
        WebSocketRoute("/echo", _echo),
        WebSocketRoute("/held", _never_accepted),
    ]
)


def test_it_listens_as_soon_as_the_block_begins_and_not_after_it():
    """No waiting and no retry is needed; the port is free again afterwards."""
    with LocalServer(APP) as server:
        assert httpx.get(server.url, trust_env=False).text == "hello"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((server.host, server.port), timeout=1)
    with LocalServer(APP, port=server.port) as again:
        assert again.url == server.url


def test_held_requests_and_idle_connections_do_not_hold_up_the_end():
    """Stopping takes less than a second although a client still waits; no thread is left."""
    before = threading.active_count()
    with LocalServer(APP) as server, httpx.Client(trust_env=False) as idle:
        idle.get(server.url)
        held = socket.create_connection((server.host, server.port))
        held.sendall(b"GET /held HTTP/1.1\r\nhost: x\r\n\r\n")
        began = time.monotonic()
        server.stop()
        assert time.monotonic() - began < 1
        assert held.recv(100) == b""
        held.close()
    assert threading.active_count() == before


def test_who_goes_while_they_are_read_is_no_error(caplog):
    """A client that is killed in the middle of its request leaves no traceback."""
    ended = threading.Event()

    async def read(request):
        try:
            return PlainTextResponse(await request.body())
        finally:
            ended.set()

    with LocalServer(Starlette(routes=[Route("/", read, methods=["POST"])])) as server:
        with socket.create_connection((server.host, server.port)) as gone:
            gone.sendall(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc")
        assert ended.wait(5)
    assert caplog.records == []


def test_a_taken_port_is_an_error_at_once():
    """Not a server that hangs."""
    with LocalServer(APP) as server, pytest.raises(OSError, match="in use"):
        LocalServer(APP, port=server.port).start()


def test_lifespan_runs_in_the_servers_own_loop():
    """Begin and end happen once each."""
    happened = []

    async def lifespan(_app):
        happened.append("up")
        yield
        happened.append("down")

    with LocalServer(Starlette(lifespan=contextlib.asynccontextmanager(lifespan))):
        assert happened == ["up"]
    assert happened == ["up", "down"]


def test_websockets_are_served_as_they_are():
    """What is offered to compress them is not taken: it would cost more memory than all the rest.

    A socket that is open when the server stops, or still waits for its upgrade, does not hold it.
    """
    with LocalServer(APP) as server:
        url = server.url.replace("http", "ws", 1)
        with connect(f"{url}/echo", proxy=None) as client:
            client.send("hello")
            assert client.recv(timeout=5) == "hello"
            assert "sec-websocket-extensions" not in client.response.headers
            held = socket.create_connection((server.host, server.port))
            held.sendall(
                b"GET /held HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
                b"sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\nsec-websocket-version: 13\r\n\r\n"
            )
            began = time.monotonic()
            server.stop()
            assert time.monotonic() - began < 1
            assert held.recv(100) == b""
            held.close()
            with pytest.raises(ConnectionClosed) as caught:
                client.recv(timeout=5)
            assert caught.value.rcvd is None
    assert not [one for one in threading.enumerate() if one.name == f"simulator-{server.port}"]
