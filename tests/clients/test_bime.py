"""Bime's client against every kind of trouble: what is asked, what is read, what is refused."""

import httpx
import pytest

from clients import errors
from clients.bime import BimeClient, Fresh, Unchanged
from clients.bime_answers import Validators
from clients.bime_auth import StaticToken
from clients.bime_models import RESOURCES
from tests.clients.bime_calls import CALLS, ROW, TOKEN, client_of, good, reply
from tests.clients.conftest import Tokens

FAILURES = [
    (httpx.ConnectError("Name or service not known"), errors.Unavailable, "connect_failed"),
    (httpx.ConnectError("CERTIFICATE_VERIFY_FAILED"), errors.Unavailable, "connect_failed"),
    (httpx.ReadTimeout("x"), errors.Unavailable, "timeout"),
    (httpx.ReadError("reset"), errors.Unavailable, "unavailable"),
    (httpx.RemoteProtocolError("x"), errors.Unavailable, "unavailable"),
    (400, errors.Rejected, "rejected"),
    (401, errors.AuthFailed, "auth_failed"),
    (403, errors.Forbidden, "forbidden"),
    (404, errors.NotFound, "not_found"),
    (410, errors.NotFound, "not_found"),
    (418, errors.Rejected, "rejected"),
    (429, errors.RateLimited, "rate_limited"),
    (500, errors.Unavailable, "server_error"),
    (502, errors.Unavailable, "server_error"),
    (503, errors.Unavailable, "server_error"),
    (504, errors.Unavailable, "server_error"),
    (302, errors.UnexpectedResponse, "redirected"),
    (304, errors.UnexpectedResponse, "unexpected_response"),
]
MISFITS = ["odd", 7, None, True, [1], [[]], {"id": 7.5}, [{"name": "no id"}], {"error": None}]
BROKEN = [b"", b"{", b"[1", b"\xff\xfe", b"[" * 100_000, b"NaN,", b"9" * 5000]


@pytest.fixture
def client(http, clock):
    return client_of(http, clock=clock)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("failure", range(len(FAILURES)))
def test_failures_by_method(client, vendor, call, failure):
    """Each status and each broken transport means the same for every method."""
    answer, kind, reason = FAILURES[failure]
    vendor.answers(answer if isinstance(answer, Exception) else reply(answer, {"error": "no"}))
    with pytest.raises(errors.ClientError) as caught:
        CALLS[call][1](client)
    assert (type(caught.value), caught.value.reason) == (kind, reason)
    assert CALLS[call][0] in str(caught.value)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("failure", range(len(FAILURES) - 1))
def test_failures_by_method_with_a_condition(client, vendor, call, failure):
    """The same holds where a 304 would have been good news, which is the last one there."""
    answer, kind, _ = FAILURES[failure]
    vendor.answers(answer if isinstance(answer, Exception) else reply(answer))
    with pytest.raises(kind):
        CALLS[call][1](client, Validators('"1"', None))


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("body", MISFITS, ids=range(len(MISFITS)))
def test_misfits_by_method(client, vendor, call, body, wrapped):
    """A body of another shape is an error for every method, bare or wrapped, and never a zero."""
    vendor.answers(reply(200, {"result": body, "error": None} if wrapped else body))
    with pytest.raises(errors.UnexpectedResponse, match=f"GET {CALLS[call][0]} does not fit"):
        CALLS[call][1](client)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("body", BROKEN, ids=range(len(BROKEN)))
def test_what_is_no_json_by_method(client, vendor, call, body):
    """Cut, empty, endless or binary bodies are ours to name; the request is named with them."""
    vendor.answers(httpx.Response(200, headers={"X-Request-Id": "r-1"}, content=body))
    with pytest.raises(errors.UnexpectedResponse) as caught:
        CALLS[call][1](client)
    assert caught.value.request_id == "r-1"


@pytest.mark.parametrize("call", CALLS)
def test_a_page_for_people_is_an_outage(client, vendor, call):
    """A maintenance sign with status 200 is tried again later."""
    vendor.answers(httpx.Response(200, html="<html>moved to Zendesk"))
    with pytest.raises(errors.Unavailable):
        CALLS[call][1](client)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("created_at", value) for value in ("2013-06-14T10:20:30", "yesterday", "", [], 1e400)),
        *(("updated_at", value) for value in ("9999-99-99T00:00:00+00:00", 7, {})),
        *(("id", value) for value in ("", " ", [], True, 7.5, "x" * 101, "a\x00b", "\ud800")),
    ],
    ids=range(16),
)
def test_a_field_that_does_not_fit_is_named(client, vendor, call, field, value):
    """Neither a time without an offset nor any nonsense is guessed at."""
    row = ROW | {field: value}
    vendor.answers(reply(200, row if "/" in CALLS[call][0] else [row]))
    with pytest.raises(errors.UnexpectedResponse, match=field):
        CALLS[call][1](client)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("body", [{}, {"result": None, "error": "record not found"}, {"error": 0}])
def test_an_envelope_with_an_error_or_without_a_result(client, vendor, call, body):
    """HTTP says 200 and the envelope says no: an error of ours."""
    vendor.answers(reply(200, body))
    with pytest.raises((errors.Rejected, errors.UnexpectedResponse)) as caught:
        CALLS[call][1](client)
    assert isinstance(caught.value, errors.Rejected) == ("error" in body)


@pytest.mark.parametrize("wrapped", [False, True])
def test_an_empty_list_is_a_zero(client, vendor, wrapped):
    """Nothing there is an answer, in an envelope too."""
    vendor.answers(reply(200, {"result": [], "error": None} if wrapped else []))
    assert client.records("dashboards").value == []


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("number", [7, "7", " 7 "])
def test_records_by_method(client, vendor, call, wrapped, number):
    """Ids as number or text are one text, times with an offset are Unix seconds."""
    path, ask = CALLS[call]
    row = ROW | {"id": number, "name": None, "further": {"x": 1}}
    body = row if "/" in path else [row]
    vendor.answers(reply(200, {"result": body} if wrapped else body))
    found = ask(client).value
    one = found if "/" in path else found[0]
    assert (one.id, one.created_at, one.updated_at) == ("7", 1371223230.0, 1371223230.0)
    assert vendor.targets == [f"GET /v2/{path}"]
    sent = vendor.last.headers
    assert sent["Authorization"] == f"Bearer {TOKEN}"
    assert sent["User-Agent"].startswith("waggle/")
    assert "If-None-Match" not in sent
    assert "If-Modified-Since" not in sent


def test_another_record_than_asked_is_refused(client, vendor):
    """A proxy that serves somebody else's record is noticed."""
    vendor.answers(reply(200, ROW | {"id": 8}))
    with pytest.raises(errors.UnexpectedResponse, match="another record"):
        client.record("dashboards", "7")


@pytest.mark.parametrize("record_id", ["", "a/b", "../connections", "7?x=1", "ü", "7\n"])
def test_odd_ids_are_not_asked_for(client, vendor, record_id):
    """An id from a file can't reach another route."""
    with pytest.raises(ValueError, match="letters"):
        client.record("dashboards", record_id)
    assert vendor.requests == []


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "HEAD"])
@pytest.mark.parametrize("path", [*RESOURCES, "named_users/7"])
def test_only_reads(client, vendor, method, path):
    """Nothing that writes can be asked for."""
    with pytest.raises(ValueError, match="not among"):
        client._request(method, path)
    assert vendor.requests == []


@pytest.mark.parametrize("path", ["users", "oauth/token", "dashboards/7/data", "dashboards/"])
def test_only_these_lists(client, vendor, path):
    """No other path than those of the page."""
    with pytest.raises(ValueError, match="not among"):
        client._request("GET", path)
    assert vendor.requests == []


@pytest.mark.parametrize("call", CALLS)
def test_a_static_token_that_is_refused_is_refused_at_once(client, vendor, call):
    """There is no other token: one request, no loop."""
    vendor.answers(reply(401))
    with pytest.raises(errors.AuthFailed):
        CALLS[call][1](client)
    assert len(vendor.requests) == 1


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("status", [200, 401, 500])
def test_a_linked_token_is_renewed_once(http, vendor, call, status):
    """After a 401 there is one more try, with the same conditions and another token."""
    tokens, (path, ask) = Tokens(), CALLS[call]
    client = BimeClient(http=http, base_url="http://bime.test/v2", tokens=tokens)
    vendor.answers(reply(401), reply(status, good(path)))
    known = Validators('"1"', None)
    if status == 200:
        assert isinstance(ask(client, known), Fresh)
    else:
        with pytest.raises(errors.AuthFailed if status == 401 else errors.Unavailable):
            ask(client, known)
    sent = [request.headers for request in vendor.requests]
    assert [one["Authorization"] for one in sent] == ["Bearer acc-canary-0", "Bearer acc-canary-1"]
    assert [one["If-None-Match"] for one in sent] == ['"1"', '"1"']
    assert tokens.rejected == ["acc-canary-0"]


@pytest.mark.parametrize("call", CALLS)
def test_unchanged(client, vendor, call):
    """A 304 without a body, after a condition, says that the answer is still the same."""
    vendor.answers(httpx.Response(304))
    assert CALLS[call][1](client, Validators(None, "Sat, 01 Jun 2013 00:00:00 GMT")) == Unchanged()
    assert "If-None-Match" not in vendor.last.headers


@pytest.mark.parametrize("call", CALLS)
def test_unchanged_without_having_asked(client, vendor, call):
    """A 304 to a request without a condition is an error: there is nothing that it stands for."""
    vendor.answers(httpx.Response(304))
    for known in (None, Validators()):
        with pytest.raises(errors.UnexpectedResponse):
            CALLS[call][1](client, known)


def test_a_retry_after_is_told_in_seconds(client, vendor):
    """A 429 names its wait."""
    vendor.answers(httpx.Response(429, headers={"Retry-After": "7"}))
    with pytest.raises(errors.RateLimited) as caught:
        client.records("dashboards")
    assert caught.value.retry_after == 7


def test_a_token_is_shown_nowhere(client):
    """Neither the client nor its token source shows it."""
    assert TOKEN not in repr(StaticToken(TOKEN)) + repr(client) + str(StaticToken(TOKEN))
