"""BM Parts' client: what is sent, and every failure crossed with every call."""

import json
import traceback

import httpx
import pytest

from clients import errors
from clients.bmparts import period
from tests.clients.bmparts_calls import CALLS, DAY, KEY, NOON, client_of

HTML = {"Content-Type": "text/html"}
LIMIT = {"message": "API rate limit exceeded.", "documentation_url": "https://x"}
USED_UP = {"X-RateLimit-Limit": "10000", "X-RateLimit-Remaining": "0"}
STATUSES = {
    "401": (httpx.Response(401, json={"message": "key"}), errors.AuthFailed, "auth_failed"),
    "403": (httpx.Response(403, json={"message": "no"}), errors.Forbidden, "forbidden"),
    "403 empty": (httpx.Response(403), errors.Forbidden, "forbidden"),
    "403 agent": (httpx.Response(403, html="<html>no agent"), errors.Forbidden, "user_agent"),
    "403 agent, used up": (
        httpx.Response(403, headers={**USED_UP, **HTML}, text="<html>no agent"),
        errors.Forbidden,
        "user_agent",
    ),
    "403 with some left": (
        httpx.Response(403, headers={"X-RateLimit-Remaining": "9"}, json=LIMIT),
        errors.Forbidden,
        "forbidden",
    ),
    "403 limit": (
        httpx.Response(403, headers=USED_UP | {"X-RateLimit-Reset": "1700000060"}, json=LIMIT),
        errors.RateLimited,
        "rate_limited",
    ),
    "403 limit without a reset": (
        httpx.Response(403, headers=USED_UP, json=LIMIT),
        errors.RateLimited,
        "rate_limited",
    ),
    "404": (httpx.Response(404, json={"message": "x"}), errors.NotFound, "not_found"),
    "422": (httpx.Response(422, json={"message": "bad period"}), errors.Rejected, "rejected"),
    "429": (httpx.Response(429), errors.RateLimited, "rate_limited"),
    "500": (httpx.Response(500), errors.Unavailable, "server_error"),
    "502 page": (httpx.Response(502, html="<html>cf"), errors.Unavailable, "unavailable"),
    "503": (httpx.Response(503), errors.Unavailable, "server_error"),
    "200 page": (httpx.Response(200, html="<html>sorry"), errors.Unavailable, "unavailable"),
    "304": (httpx.Response(304), errors.UnexpectedResponse, "unexpected_response"),
    "302": (
        httpx.Response(302, headers={"Location": "https://evil.test/profile/me"}),
        errors.UnexpectedResponse,
        "redirected",
    ),
}
TRANSPORT = {
    "refused": (httpx.ConnectError("x"), errors.Unavailable, "connect_failed"),
    "connect timeout": (httpx.ConnectTimeout("x"), errors.Unavailable, "timeout"),
    "read timeout": (httpx.ReadTimeout("x"), errors.Unavailable, "timeout"),
    "reset": (httpx.ReadError("x"), errors.Unavailable, "unavailable"),
    "protocol": (httpx.RemoteProtocolError("x"), errors.Unavailable, "unavailable"),
    "unsendable": (httpx.LocalProtocolError("x"), errors.Rejected, "rejected"),
}
FAILURES = STATUSES | TRANSPORT
NO_JSON = {"nothing": b"", "a word": b"ok", "half": b'{"documents": [', "bytes": b"\xff\xfe"}


@pytest.fixture
def bmparts(http, clock):
    return client_of(http, clock=clock)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("failure", FAILURES)
def test_failures_by_call(bmparts, vendor, call, failure):
    """Each failure means the same for every call, and the key is in none of them."""
    answer, kind, reason = FAILURES[failure]
    vendor.answers(answer)
    with pytest.raises(errors.ClientError) as caught:
        CALLS[call](bmparts)
    assert (type(caught.value), caught.value.reason) == (kind, reason)
    text = "".join(traceback.format_exception(caught.value)) + repr(vars(caught.value))
    assert KEY not in text
    assert {request.url.host for request in vendor.requests} == {"bm.test"}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("body", NO_JSON)
def test_what_is_no_json_by_call(bmparts, vendor, call, body):
    """A body that is no JSON is an error for every call but those that hand it on unread."""
    vendor.answers(httpx.Response(200, content=NO_JSON[body]))
    ask = CALLS[call]
    with pytest.raises(errors.UnexpectedResponse):
        ask(bmparts).json()


@pytest.mark.parametrize(
    "call", ["document_types", "documents", "count_reserves", "count_carts", "searches"]
)
@pytest.mark.parametrize("body", [None, "odd", True, {}, {"message": "x"}, [1], {"errors": []}])
def test_misfits_by_call(bmparts, vendor, call, body):
    """No list and no count is an error for every call, never a zero."""
    vendor.answers(httpx.Response(200, text=json.dumps(body), headers={"X-Request-Id": "r-1"}))
    with pytest.raises(errors.UnexpectedResponse) as caught:
        CALLS[call](bmparts)
    assert caught.value.request_id == "r-1"


@pytest.mark.parametrize("call", CALLS)
def test_a_server_that_repeats_the_key(bmparts, vendor, call):
    """What it says about a request has the key taken out."""
    vendor.answers(lambda request: httpx.Response(422, json={"message": str(request.headers.raw)}))
    with pytest.raises(errors.Rejected) as caught:
        CALLS[call](bmparts)
    assert KEY not in str(caught.value) + repr(vars(caught.value))
    assert "[redacted]" in str(caught.value)


def test_the_wait_of_a_limit(bmparts, vendor, clock):
    """Until the Reset that is told, from the server's own clock; None where it is not told."""
    date = {"Date": "Tue, 14 Nov 2023 22:13:20 GMT"}  # 1700000000
    vendor.answers(
        httpx.Response(
            403, headers=USED_UP | date | {"X-RateLimit-Reset": "1700000060"}, json=LIMIT
        )
    )
    with pytest.raises(errors.RateLimited) as caught:
        bmparts.profile()
    assert caught.value.retry_after == 60
    vendor.answers(httpx.Response(403, headers=USED_UP, json=LIMIT))
    with pytest.raises(errors.RateLimited) as caught:
        bmparts.profile()
    assert caught.value.retry_after is None


def test_what_is_hidden_says_so(bmparts, vendor):
    """A 404 may mean a key that may not; whoever reads it is told."""
    vendor.answers(httpx.Response(404, json={"message": "no such thing"}))
    with pytest.raises(errors.NotFound, match=r"no such thing; BM Parts .* key may not read"):
        bmparts.profile()


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("language", ["uk", "ru"])
def test_what_every_call_sends(http, vendor, call, language):
    """A GET with the bare key, our name, the language, no cookie and no body."""
    vendor.answers(httpx.Response(200, json={"count": 0, "documents": []}))
    CALLS[call](client_of(http, language=language))
    for request in vendor.requests:
        assert request.method == "GET"
        assert request.headers["Authorization"] == KEY
        assert request.headers["User-Agent"].startswith("waggle/")
        assert request.headers["Accept-Language"] == language
        assert request.content == b""
        assert KEY not in str(request.url)


def test_the_whole_of_a_request_for_a_day(bmparts, vendor):
    """Braces are percent-encoded, instants are UTC, the most per page is asked for."""
    vendor.answers(httpx.Response(200, json={"documents": []}))
    assert bmparts.documents(NOON, NOON + DAY, type_code="00003A4D") == frozenset()
    (target,) = vendor.targets
    assert target == (
        "GET /documents/list?direction=desc&period=%7B2026-11-20T12%3A00%3A00Z%2C"
        "2026-11-21T12%3A00%3A00Z%7D&type=00003A4D&page=1&per_page=100"
    )


@pytest.mark.parametrize("base", ["http://bm.test", "http://bm.test/", "http://bm.test/bmparts"])
def test_any_base(http, vendor, base):
    """With a slash at its end, or below a path."""
    vendor.answers(httpx.Response(200, json={}))
    client_of(http, base).profile()
    assert vendor.last.url.path == ("/bmparts" if "bmparts" in base else "") + "/profile/me"


def test_a_report_about_a_day_does_not_touch_the_next(bmparts, vendor):
    """The last second of a day is its own, and midnight the next one's."""
    vendor.answers(httpx.Response(200, json={}))
    for start in (NOON, NOON + DAY):
        bmparts.document("/reports/reconciliation", start=start, end=start + DAY)
    assert [request.url.params["period"] for request in vendor.requests] == [
        "{2026-11-20T12:00:00Z,2026-11-21T11:59:59Z}",
        "{2026-11-21T12:00:00Z,2026-11-22T11:59:59Z}",
    ]


def test_periods():
    """From a second to itself is one; backwards is another question, and is not asked."""
    assert period(NOON, NOON) == "{2026-11-20T12:00:00Z,2026-11-20T12:00:00Z}"
    with pytest.raises(ValueError, match="before it begins"):
        period(NOON, NOON - 1)


@pytest.mark.parametrize("code", ["", "3A4D", "00003A4D1", "0000 A4D", "../../x", "00003A4G"])
def test_what_is_no_kind_of_documents(bmparts, vendor, code):
    """Only a code goes into the question."""
    with pytest.raises(ValueError, match="no code"):
        bmparts.documents(NOON, NOON + DAY, type_code=code)
    assert vendor.requests == []


def test_only_some_calls_take_a_period(bmparts, vendor):
    """A period that would be ignored is not asked for: the answer would be of another time."""
    with pytest.raises(ValueError, match="takes no period"):
        bmparts.document("/reports/terms", start=NOON, end=NOON + DAY)
    vendor.answers(httpx.Response(200, json={}))
    bmparts.document("/reports/reconciliation")
    assert vendor.targets == ["GET /reports/reconciliation"]
