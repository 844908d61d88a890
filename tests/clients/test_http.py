"""The one request method, against scripted servers and real sockets."""

import gzip
import re

import httpx
import pytest

from clients import errors

FAILURES = [
    (httpx.ConnectError("refused"), errors.Unavailable, "connect_failed"),
    (httpx.ConnectTimeout("x"), errors.Unavailable, "timeout"),
    (httpx.ReadTimeout("x"), errors.Unavailable, "timeout"),
    (httpx.ReadError("reset"), errors.Unavailable, "unavailable"),
    (httpx.RemoteProtocolError("x"), errors.Unavailable, "unavailable"),
    (httpx.Response(500), errors.Unavailable, "server_error"),
    (httpx.Response(503, headers={"Retry-After": "7"}), errors.RateLimited, "rate_limited"),
    (httpx.Response(429), errors.RateLimited, "rate_limited"),
    (httpx.Response(401), errors.AuthFailed, "auth_failed"),
    (httpx.Response(403), errors.Forbidden, "forbidden"),
    (httpx.Response(404), errors.NotFound, "not_found"),
    (httpx.Response(422, json={"errors": "no"}), errors.Rejected, "rejected"),
    (httpx.Response(302, headers={"Location": "/"}), errors.UnexpectedResponse, "redirected"),
    (httpx.Response(304), errors.UnexpectedResponse, "unexpected_response"),
    (httpx.Response(200, html="<html>down"), errors.Unavailable, "unavailable"),
]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
@pytest.mark.parametrize(("answer", "kind", "reason"), FAILURES)
def test_failures_by_method(api, vendor, method, answer, kind, reason):
    """Each failure ends in the tree for each method; nothing of httpx leaks through."""
    vendor.answers(answer)
    with pytest.raises(errors.ClientError) as caught:
        api.ask(method)
    assert (type(caught.value), caught.value.reason) == (kind, reason)
    assert str(caught.value)


def test_what_is_sent(api, vendor):
    """A request names us, asks for exactly one type, and its arguments are percent-encoded."""
    vendor.answers(httpx.Response(200, json=[]))
    api.ask(params={"at": "2020-01-01T00:00:00+01:00", "id": [1, 2], "name": "a b&c"})
    sent = vendor.last
    assert sent.headers.get_list("Accept") == ["application/json"]
    assert re.fullmatch(r"waggle/\d+\.\d+.*", sent.headers["User-Agent"])
    assert sent.url.path == "/api/v0/things/"
    assert b"+01" not in sent.url.query
    assert sent.url.params.get_list("id") == ["1", "2"]
    assert sent.url.params["name"] == "a b&c"
    api.ask("POST", headers={"accept": "text/csv"}, form={"a": "1 é"})
    assert vendor.last.headers.get_list("Accept") == ["text/csv"]
    assert vendor.last.content == b"a=1+%C3%A9"
    api.ask("POST", json={"a": 1})
    assert vendor.last.headers["Content-Type"] == "application/json"


def test_sessions_stay_apart(api, http, vendor):
    """A cookie set for one person is not sent with the next person's request."""
    vendor.answers(httpx.Response(200, headers={"Set-Cookie": "session=alice; Path=/"}, json=[]))
    api.ask()
    http.headers["X-Shared"] = "1"
    api.ask()
    assert "Cookie" not in vendor.last.headers
    assert "X-Shared" not in vendor.last.headers


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "other/"), ("PATCH", "things/"), ("GET", "things/../x"), ("GET", "things/a?b=1")],
)
def test_only_listed_routes(api, vendor, method, path):
    """What is not listed can't be asked for: nothing leaves."""
    with pytest.raises(ValueError, match="not among"):
        api.ask(method, path)
    assert vendor.requests == []


@pytest.mark.parametrize(
    "base_url",
    [
        "",
        "vendor.test",
        "ftp://vendor.test",
        "http://",
        "http://a:b@vendor.test",
        "http://v/?k=1",
        "http://v:port",
    ],
)
def test_base_url_is_checked(make_api, http, base_url):
    """An unfit base URL is told when the client is made, without quoting what may be a secret."""
    with pytest.raises(ValueError, match="base URL") as caught:
        make_api(http=http, base_url=base_url)
    assert "a:b" not in str(caught.value)


@pytest.mark.parametrize("base_url", ["http://vendor.test/api/v0", "http://vendor.test/api/v0/"])
@pytest.mark.parametrize("path", ["things/x", "/things/x"])
def test_slashes_at_the_seam(make_api, http, vendor, base_url, path):
    """With or without slashes, base and path are joined by exactly one."""
    vendor.answers(httpx.Response(200, json=[]))
    make_api(http=http, base_url=base_url).ask(path=path)
    assert vendor.last.url.path == "/api/v0/things/x"


def test_retry_after_by_the_servers_date(api, vendor):
    """A date in Retry-After is measured from the answer's own Date."""
    date, until = "Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:51:07 GMT"
    vendor.answers(httpx.Response(429, headers={"Retry-After": until, "Date": date}))
    with pytest.raises(errors.RateLimited) as caught:
        api.ask()
    assert caught.value.retry_after == 90


def test_a_slow_body_ends_at_the_deadline(make_api, http, vendor, clock):
    """A body that dribbles is cut off when the total time is over, and not before."""
    sent = []

    class Dribble(httpx.SyncByteStream):
        def __iter__(self):
            for _ in range(100):
                clock.now += 1
                sent.append(1)
                yield b" "

    vendor.answers(lambda _request: httpx.Response(200, stream=Dribble()))
    api = make_api(http=http, base_url="http://v.test", deadline=20, monotonic=clock)
    with pytest.raises(errors.Unavailable) as caught:
        api.ask()
    assert (caught.value.reason, len(sent)) == ("timeout", 20)
    sent.clear()
    with pytest.raises(errors.Unavailable):
        api.ask(deadline=5)
    assert len(sent) == 5


@pytest.mark.parametrize("packed", [False, True])
def test_too_large(make_api, http, vendor, packed):
    """A body over the limit is refused, also when it only gets large by unpacking."""
    body = b"[" + b" " * 5000 + b"]"
    headers = {"Content-Encoding": "gzip"} if packed else {}
    answer = httpx.Response(200, content=gzip.compress(body) if packed else body)
    vendor.answers(
        lambda _: httpx.Response(200, headers=headers, stream=httpx.ByteStream(answer.content))
    )
    assert make_api(http=http, base_url="http://v.test", max_bytes=5002).ask().json() == []
    with pytest.raises(errors.UnexpectedResponse) as caught:
        make_api(http=http, base_url="http://v.test", max_bytes=5001).ask()
    assert caught.value.reason == "too_large"


def test_broken_compression(api, vendor):
    """A body that can't be unpacked is one of ours."""
    vendor.answers(
        lambda _: httpx.Response(
            200, headers={"Content-Encoding": "gzip"}, stream=httpx.ByteStream(b"no gzip")
        )
    )
    with pytest.raises(errors.UnexpectedResponse):
        api.ask()


def test_an_answer_to_a_condition(api, vendor):
    """304 is good news for a conditional request only."""
    vendor.answers(httpx.Response(304))
    assert api.ask(headers={"If-None-Match": '"1"'}).status == 304
    assert api.ask(headers={"if-modified-since": "x"}).status == 304


def test_gets_are_tried_twice_at_most(api, vendor):
    """A server that keeps hanging up sees two requests, a slow one sees one."""
    vendor.answers(httpx.ReadError("reset"))
    with pytest.raises(errors.Unavailable):
        api.ask()
    assert len(vendor.requests) == 2
    vendor.answers(httpx.ReadTimeout("slow"))
    with pytest.raises(errors.Unavailable):
        api.ask()
    assert len(vendor.requests) == 1
