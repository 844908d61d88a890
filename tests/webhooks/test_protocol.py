"""Connections: nobody stays without asking, and no head grows for ever."""

import contextlib
import json
import re
import socket
import threading
import time
from urllib.parse import urlsplit

import pytest

from webhooks import bodies, protocol, static_files

HEAD = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
GET = HEAD + b"\r\n"
BODY = b"POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"


def _connect(serving, *, receives: int = 0) -> socket.socket:
    address = urlsplit(serving.url)
    connection = socket.socket()
    if receives:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receives)
    connection.settimeout(10)
    connection.connect((address.hostname, address.port))
    return connection


def _ends(connection: socket.socket, dribble: bytes = b"") -> bool:
    """Does the other end give up, although something comes now and then?"""
    ends_at = time.monotonic() + 10
    with contextlib.suppress(ConnectionError):
        while time.monotonic() < ends_at:
            if dribble:
                connection.sendall(dribble)
            connection.settimeout(0.05)
            with contextlib.suppress(TimeoutError):
                if connection.recv(65536) == b"":
                    return True
        return False
    return True


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


DRIBBLES = {
    "a body that nobody reads": (BODY, b"x"),
    "blank lines after an answer": (GET, b"\r\n"),
    "a head after an answer": (GET + HEAD, b"X"),
    "a body of chunks": (BODY.replace(b"Content-Length: 100000", b"Transfer-Encoding: chunked"),
                         b"1\r\nx\r\n"),
    "an upgrade": (HEAD + b"Connection: upgrade\r\nUpgrade: h2c\r\n\r\n", b"x"),
}  # fmt: skip


@pytest.mark.parametrize("how", DRIBBLES)
def test_nobody_stays_by_dribbling(serve, monkeypatch, how):
    """Whatever comes byte by byte, before or after an answer: it has an end."""
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.3)
    monkeypatch.setattr(protocol, "BODY_SECONDS", 0.3)
    sent, dribble = DRIBBLES[how]
    with _connect(serve()) as connection:
        connection.sendall(sent)

        assert _ends(connection, dribble)


def test_a_shorter_patience_counts_from_where_it_begins(serve, monkeypatch):
    """The time for a body ends, although that for the head of its request would not."""
    monkeypatch.setattr(protocol, "BODY_SECONDS", 0.3)
    with _connect(serve()) as connection:
        connection.sendall(BODY)

        assert _ends(connection, b"x")


def test_whoever_asks_again_in_time_stays(serve, monkeypatch):
    """The patience begins anew with every answer, however long the connection is there."""
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 1.0)
    until = time.monotonic() + 1.5
    with _connect(serve()) as connection:
        while time.monotonic() < until:
            connection.sendall(GET)
            assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
        assert _rest(connection) == b""


def test_a_slow_body_is_told_so_before_its_connection_ends():
    """Whoever reads the body gives up first, and has time to answer."""
    assert bodies.READ_SECONDS + bodies.LINGER_SECONDS < protocol.BODY_SECONDS


def test_nobody_stays_by_not_taking_answers(serve, monkeypatch):
    """Who asks for a lot and reads nothing is let go, with what is meant for them."""
    monkeypatch.setattr(protocol, "TAKE_SECONDS", 0.3)
    (name, *_) = sorted(static_files.FILES, key=lambda name: -len(static_files.FILES[name].plain))
    asked = f"GET /static/{name} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    ended = threading.Event()

    class Watched(protocol.BoundedProtocol):
        def connection_lost(self, exc):
            super().connection_lost(exc)
            ended.set()

    monkeypatch.setattr("tests.webhooks.conftest.BoundedProtocol", Watched)
    serving = serve()
    with _connect(serving, receives=4096) as connection:
        connection.sendall(asked * 300)

        assert ended.wait(10)
    assert serving.client.get("/healthz").status_code == 200


def test_who_waits_longest_makes_room(serve, monkeypatch):
    """With all connections taken by who only pretends to ask, whoever asks is served."""
    monkeypatch.setattr(protocol.BoundedProtocol, "most", 20)
    serving = serve()
    with contextlib.ExitStack() as stack:
        # Who begins to ask is waited for anew: the first of them say nothing, and are the longest.
        pretending = [stack.enter_context(_connect(serving)) for _ in range(40)]
        for connection in pretending[25:]:
            connection.sendall(HEAD)
        for _ in range(3):
            with _connect(serving) as asking:
                asking.sendall(GET)
                assert asking.recv(65536).startswith(b"HTTP/1.1 200 ")

        assert [_ends(connection) for connection in pretending[:20]] == [True] * 20
        pretending[-1].sendall(b"\r\n")
        assert pretending[-1].recv(65536).startswith(b"HTTP/1.1 200 ")


def test_who_is_held_makes_no_room(serve, monkeypatch):
    """A callback that waits for its data is not thrown out by strangers."""
    monkeypatch.setattr(protocol.BoundedProtocol, "most", 5)
    serving = serve(hold_seconds=30)
    held = [serving.later(serving.autofetch, slug=f"goal{number}") for number in range(3)]
    serving.stored(3)
    with contextlib.ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(_connect(serving))
        serving.receiver.release()

        assert {answer.result().json()["status"] for answer in held} == {"late"}


def test_room_is_made_for_what_the_process_may_open():
    """A process with few files keeps some of them for its ledger."""
    assert protocol.within(1024).most == 1024 - protocol.SPARE_FILES
    assert protocol.within(10**6).most == protocol.MOST_CONNECTIONS
    assert protocol.within(10).most == 1


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (b"NONSENSE\r\n\r\n", 400, "malformed"),
        (b"GET /\xff HTTP/1.1\r\n\r\n", 400, "malformed"),
        (HEAD + b"X-A: " + b"a" * protocol.LARGEST_HEAD, 431, "too_large"),
    ],
)
def test_what_is_no_request_is_answered_as_errors_are(serving, sent, status, code):
    """The same body and headers as for everything else, and the connection ends."""
    with _connect(serving) as connection:
        connection.sendall(sent)
        head, _, body = _rest(connection).partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert re.search(rb"(?m)^x-request-id: [0-9a-f]{16}\r$", head)
    assert json.loads(body)["error"]["code"] == code


CHUNKED = (
    b"POST /beeminder/autofetch/path-secret-1 HTTP/1.1\r\nHost: x\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)


@pytest.mark.parametrize("framing", [b"1;", b"0\r\nX: "], ids=["chunk head", "trailers"])
def test_what_is_around_a_body_does_not_go_on_for_ever(serving, framing):
    """Extensions of a chunk and trailers are no body that anybody counts: they are cut off."""
    with _connect(serving) as connection:
        connection.sendall(CHUNKED + framing)
        with pytest.raises(ConnectionError):
            _send_on(connection)


def test_chunks_may_be_as_small_as_they_like(serving):
    """A body that comes byte by byte, each in a chunk of its own, is a body."""
    answer = serving.client.post(
        "/beeminder/autofetch/path-secret-1",
        content=(bytes([byte]) for byte in b"username=alice&slug=energy&x=" + b"x" * 20_000),
    )

    assert answer.json() == {"status": "late"}


def test_nonsense_after_a_held_callback_ends_both(serve, caplog):
    """No answer is mixed up with another, and nothing breaks in between."""
    serving = serve(hold_seconds=0.5)
    body = b"username=alice&slug=energy"
    with _connect(serving) as connection:
        connection.sendall(
            CHUNKED.replace(b"Transfer-Encoding: chunked", b"Content-Length: %d" % len(body)) + body
        )
        serving.stored()
        connection.sendall(b"NONSENSE\r\n\r\n")
        assert _ends(connection)
    assert "request.failed" not in caplog.text
