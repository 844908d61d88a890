"""Connections: nobody stays without asking, and no head grows for ever."""

import socket
import time
from urllib.parse import urlsplit

import pytest

from webhooks import protocol

HEAD = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"


def _connect(serving) -> socket.socket:
    address = urlsplit(serving.url)
    return socket.create_connection((address.hostname, address.port), timeout=10)


def _rest(connection: socket.socket) -> bytes:
    received = b""
    while part := connection.recv(65536):
        received += part
    return received


def _send_on(connection: socket.socket) -> None:
    ends_at = time.monotonic() + 10
    while time.monotonic() < ends_at:
        connection.sendall(b"a" * 1000)


@pytest.mark.parametrize(
    "start", [b"GET /" + b"a" * 10, HEAD + b"X-A: ", HEAD + b"X-A: b\r\n" * 10]
)
def test_a_head_that_never_ends_is_431(serving, start):
    """A path, a value or a list of headers that goes on and on is cut off."""
    filler = b"X-A: b\r\n" if start.endswith(b"\n") else b"aaaaaaaa"
    with _connect(serving) as connection:
        connection.sendall(start)
        connection.sendall(filler * 4500)

        assert _rest(connection).startswith(b"HTTP/1.1 431 ")


def test_a_large_head_within_the_limit_is_served(serving):
    """Cookies and proxies make heads large: 30 KiB are fine, again and again."""
    headers = {"X-Large": "x" * 30_000}
    statuses = {serving.client.get("/healthz", headers=headers).status_code for _ in range(3)}

    assert statuses == {200}


@pytest.mark.parametrize("sent", [b"", b"GET /healthz HT", HEAD])
def test_whoever_does_not_ask_is_let_go(serve, monkeypatch, sent):
    """A connection without a whole head in time is closed."""
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.2)
    with _connect(serve()) as connection:
        connection.sendall(sent)

        assert _rest(connection) == b""


def test_a_held_callback_is_not_let_go(serve, monkeypatch):
    """The time for the head does not count while an answer is being prepared."""
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.2)

    assert serve(hold_seconds=0.6).autofetch().json() == {"status": "late"}


def test_pipelined_requests_are_answered_in_order(serving):
    """Two requests in one packet get two answers."""
    with _connect(serving) as connection:
        connection.sendall(HEAD + b"\r\n" + b"GET /nothing HTTP/1.1\r\nConnection: close\r\n\r\n")
        received = _rest(connection)

    assert received.index(b" 200 ") < received.index(b" 404 ")


def test_who_is_refused_can_not_stay_by_sending_on(serving, monkeypatch):
    """What still comes is thrown away for a moment, and then the connection is gone."""
    monkeypatch.setattr(protocol, "LINGER_SECONDS", 0.2)
    with _connect(serving) as connection:
        connection.sendall(HEAD + b"X-A: " + b"a" * protocol.LARGEST_HEAD)
        assert _rest(connection).startswith(b"HTTP/1.1 431 ")
        with pytest.raises(ConnectionError):
            _send_on(connection)
