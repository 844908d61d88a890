"""The one request method on real sockets."""

import logging
import threading

import pytest

from clients import errors, redaction

SECRETS = redaction.Credentials(query={"auth_token": "canary-q"})


def test_slow_headers_end_at_the_deadline(make_api, real_http, wire, make_clock):
    """Headers that come byte by byte over a real socket can't hold a call either."""
    looked, over = threading.Event(), threading.Event()
    clock = make_clock(step=1)

    def monotonic():
        looked.set()
        return clock()

    def dribble(server, connection):
        server.read_head(connection)
        for byte in b"HTTP/1.1 200 OK\r\n" + b"X-Pad: 1\r\n" * 50:
            looked.clear()
            try:
                connection.sendall(bytes([byte]))
            except OSError:
                return
            while not looked.wait(0.01):
                if over.is_set():
                    return

    server = wire(dribble)
    api = make_api(http=real_http, base_url=server.url, deadline=30, monotonic=monotonic)
    with pytest.raises(errors.Unavailable) as caught:
        api.ask("POST")
    over.set()
    assert caught.value.reason == "timeout"


def test_a_dropped_connection_is_tried_once_more(make_api, real_http, wire):
    """A GET on a connection that the server has closed meanwhile gets through on a new one."""

    def answer(server, connection):
        server.read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]")

    def hang_up(server, connection):
        server.read_head(connection)

    server = wire(hang_up, answer)
    assert make_api(http=real_http, base_url=server.url).ask().json() == []
    assert len(server.heads) == 2


def test_a_write_is_sent_once(make_api, real_http, wire):
    """A write that broke off is not repeated here: only the caller knows if it may be."""

    def hang_up(server, connection):
        server.read_head(connection)

    server = wire(hang_up)
    with pytest.raises(errors.Unavailable) as caught:
        make_api(http=real_http, base_url=server.url).ask("POST")
    assert caught.value.reason == "unavailable"
    assert len(server.heads) == 1


def test_tokens_in_queries_reach_the_wire_only(make_api, real_http, wire, caplog):
    """A token that must travel in a query stands on the request line and in no log record."""

    def answer(server, connection):
        server.read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]")

    caplog.set_level(logging.DEBUG)
    server = wire(answer)
    make_api(http=real_http, base_url=server.url).ask(params={"a": "1"}, credentials=SECRETS)
    assert server.heads[0].startswith(b"GET /things/?a=1&auth_token=canary-q HTTP/1.1\r\n")
    assert any(record.name == "httpx" for record in caplog.records)
    assert "canary" not in caplog.text


def test_unsendable_headers(make_api, real_http, wire):
    """A credential that can't be a header is refused without being quoted."""
    server = wire()
    api = make_api(http=real_http, base_url=server.url)
    for value in ("canary\r\nX: y", "canäry"):
        with pytest.raises(errors.Rejected) as caught:
            api.ask(credentials=redaction.Credentials(headers={"Authorization": value}))
        assert "can" not in str(caught.value).replace("can't", "")
        assert caught.value.__context__ is None
