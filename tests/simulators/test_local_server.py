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
from starlette.routing import Route

from simulators.server import LocalServer


async def _hello(_request):
    return PlainTextResponse("hello")


async def _for_ever(_request):
    await asyncio.Event().wait()


APP = Starlette(routes=[Route("/", _hello), Route("/held", _for_ever)])


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
