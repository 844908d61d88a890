"""Bime's client on the wire: what is too large, too slow, elsewhere, or nobody at all."""

import socket

import httpx
import pytest

from clients import errors
from clients.bime import BimeClient
from clients.bime_auth import StaticToken
from tests.clients.bime_calls import CALLS, TOKEN, client_of, good, reply


@pytest.mark.parametrize("call", CALLS)
def test_a_body_over_the_cap_is_refused(http, vendor, call):
    """Ten megabytes where eight are allowed: an error, and not a total of what was read."""
    client = client_of(http, max_bytes=8 << 20)
    vendor.answers(
        lambda _: httpx.Response(200, stream=httpx.ByteStream(b"[" + b" " * (10 << 20) + b"]"))
    )
    with pytest.raises(errors.UnexpectedResponse) as caught:
        CALLS[call][1](client)
    assert caught.value.reason == "too_large"


@pytest.mark.parametrize("call", CALLS)
def test_a_slow_body_ends_at_the_deadline(http, vendor, make_clock, call):
    """A body that dribbles is cut off when the whole time is over."""
    monotonic, sent = make_clock(0.0), []

    class Dribble(httpx.SyncByteStream):
        def __iter__(self):
            for _ in range(100):
                monotonic.now += 1
                sent.append(1)
                yield b" "

    vendor.answers(lambda _: httpx.Response(200, stream=Dribble()))
    client = client_of(http, deadline=20, monotonic=monotonic)
    with pytest.raises(errors.Unavailable) as caught:
        CALLS[call][1](client)
    assert (caught.value.reason, len(sent)) == ("timeout", 20)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    "target", ["http://evil.test/v2/{}", "//evil.test/v2/{}", "http://bime.test:8/v2/{}", "/v3/{}"]
)
def test_a_token_never_follows_a_redirect_elsewhere(http, vendor, call, target):
    """Another host, port or base: the redirect is an error, and nobody else sees the token."""
    path, ask = CALLS[call]
    vendor.answers(
        httpx.Response(302, headers={"Location": target.format(path)}), reply(200, good(path))
    )
    with pytest.raises(errors.UnexpectedResponse) as caught:
        ask(client_of(http))
    assert caught.value.reason == "redirected"
    assert [request.url.host for request in vendor.requests] == ["bime.test"]


def test_nobody_listens(real_http):
    """A host without a server, and one that speaks no TLS, end as out of reach."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    for url in (f"http://127.0.0.1:{port}/v2", "http://bime.invalid/v2"):
        client = BimeClient(http=real_http, base_url=url, tokens=StaticToken(TOKEN))
        with pytest.raises(errors.Unavailable) as caught:
            client.records("dashboards")
        assert caught.value.reason == "connect_failed"


def test_a_server_without_tls(real_http, wire):
    """Plain text where TLS was due ends as out of reach, after the second try."""

    def babble(_wire, connection):
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    url = wire(babble, babble).url.replace("http://", "https://")
    client = BimeClient(http=real_http, base_url=url, tokens=StaticToken(TOKEN))
    with pytest.raises(errors.Unavailable) as caught:
        client.records("dashboards")
    assert TOKEN not in str(caught.value)
