"""Answers that break off: what their status and headers said of a limit is kept to."""

import gzip
import threading
from collections.abc import Callable

import httpx
import pytest

from clients import errors
from tests.clients.test_gate import NotYetError, Watched


@pytest.fixture
def gate() -> Watched:
    return Watched()


def head(status: int, **headers: object) -> bytes:
    """The beginning of an answer, with less of a body than it says."""
    lines = [f"HTTP/1.1 {status} Said", "Content-Length: 500"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", "{}"]).encode()


def cut_off(said: bytes) -> Callable:
    """A server that says so much and hangs up."""

    def script(server, connection):
        server.read_head(connection)
        connection.sendall(said)

    return script


LIMITS = [
    (head(429, Retry_After=3600), 3600.0),
    (head(429), None),
    (head(503, Retry_After=3600), 3600.0),
    (head(500, Retry_After=60), 60.0),
    (head(502, Content_Type="text/html", Retry_After=60), 60.0),
    (head(429, X_RateLimit_Remaining=0, X_RateLimit_Reset=1800), 1800.0),
]


@pytest.mark.parametrize(("said", "wait"), LIMITS)
def test_a_refusal_that_is_cut_off_is_a_refusal(make_api, real_http, wire, gate, said, wait):
    """The connection ends within the body: the time that was named is kept."""
    api = make_api(http=real_http, base_url=wire(cut_off(said)).url, gate=gate)
    with pytest.raises(NotYetError, match="refused: Vendor answered"):
        api.ask()
    ((end, limits),) = gate.ends
    assert (end, limits.wait) == ("refused", wait)


def test_a_refusal_that_stalls_is_a_refusal(make_api, real_http, wire, make_clock, gate):
    """A body that does not come before the deadline takes nothing back of what was said."""
    over = threading.Event()

    def stall(server, connection):
        server.read_head(connection)
        connection.sendall(head(429, Retry_After=3600))
        over.wait(10)

    clock = make_clock(step=1)
    api = make_api(
        http=real_http, base_url=wire(stall).url, gate=gate, deadline=30, monotonic=clock
    )
    with pytest.raises(NotYetError):
        api.ask()
    over.set()
    assert gate.outcomes == ["refused"]
    assert gate.ends[0][1].retry_after == 3600.0


UNREADABLE = [
    ({"Content-Encoding": "gzip"}, b"not gzip at all"),
    ({"Content-Encoding": "gzip"}, gzip.compress(b"{}" * 500, mtime=0)),
    ({}, b"x" * 500),
]


@pytest.mark.parametrize(("coded", "body"), UNREADABLE)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_refusal_that_can_not_be_read_is_a_refusal(
    make_api, http, vendor, gate, coded, body, method
):
    """Bad gzip, or more than anybody wants to read: its headers say enough."""
    vendor.answers(
        lambda _request: httpx.Response(
            429, headers={"Retry-After": "3600", **coded}, stream=httpx.ByteStream(body)
        )
    )
    api = make_api(http=http, base_url="http://vendor.test/", gate=gate, max_bytes=50)
    with pytest.raises(NotYetError):
        api.ask(method)
    assert gate.outcomes == ["refused"]
    assert len(vendor.requests) == 1


OTHERS = [
    (head(200, X_RateLimit_Remaining=0, X_RateLimit_Reset=60), errors.Unavailable),
    (head(403, X_RateLimit_Remaining=0, X_RateLimit_Reset=60), errors.Unavailable),
    (head(500, X_RateLimit_Remaining=7), errors.Unavailable),
    (head(302, X_RateLimit_Remaining=7, Location="/things/b"), errors.Unavailable),
]


@pytest.mark.parametrize(("said", "error"), OTHERS)
def test_what_any_answer_said_of_limits_is_told(make_api, real_http, wire, gate, said, error):
    """No refusal, and no whole answer: how much is left was said all the same."""
    api = make_api(http=real_http, base_url=wire(cut_off(said)).url, gate=gate)
    with pytest.raises(error, match="broke off"):
        api.ask()
    ((end, limits),) = gate.ends
    assert (end, limits.remaining in (0, 7)) == ("answered", True)


def test_what_can_not_be_read_is_told_as_before(make_api, http, vendor, gate):
    """A good answer that is too large is still that, and the gate is open."""
    vendor.answers(httpx.Response(200, text="x" * 100))
    with pytest.raises(errors.UnexpectedResponse) as caught:
        make_api(http=http, base_url="http://vendor.test/", gate=gate, max_bytes=50).ask()
    assert caught.value.reason == "too_large"
    assert gate.outcomes == ["answered"]
