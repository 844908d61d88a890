"""Every status and every transport failure has its place in the tree."""

import inspect

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients import answers, errors, translation
from clients.limits import Limits

FAILURES = [
    kind
    for _, kind in inspect.getmembers(httpx, inspect.isclass)
    if issubclass(kind, httpx.HTTPError | httpx.InvalidURL)
]
EXPECTED = {
    400: (errors.Rejected, "rejected"),
    401: (errors.AuthFailed, "auth_failed"),
    403: (errors.Forbidden, "forbidden"),
    404: (errors.NotFound, "not_found"),
    406: (errors.Rejected, "rejected"),
    408: (errors.Unavailable, "timeout"),
    409: (errors.Rejected, "rejected"),
    410: (errors.NotFound, "not_found"),
    422: (errors.Rejected, "rejected"),
    425: (errors.Unavailable, "unavailable"),
    429: (errors.RateLimited, "rate_limited"),
    500: (errors.Unavailable, "server_error"),
    503: (errors.Unavailable, "server_error"),
    504: (errors.Unavailable, "server_error"),
}


def translated(status, body=b"{}", *, html_403=None, **said):
    answer = answers.Answer(
        method="GET",
        path="p",
        status=status,
        headers=httpx.Headers({"X-Request-Id": "r"}),
        body=body,
    )
    return translation.from_answer(
        answer, vendor="Vendor", text="why", limits=Limits(**said), html_403=html_403
    )


@pytest.mark.parametrize(("status", "expected"), EXPECTED.items())
def test_statuses(status, expected):
    """Known statuses mean what HTTP says, and the facts come along."""
    error = translated(status, b'{"errors":"x"}')
    assert (type(error), error.reason) == expected
    assert (error.status, error.request_id, error.details) == (status, "r", {"errors": "x"})
    assert str(error) == f"Vendor answered {status} to GET p: why"


def test_no_status_is_forgotten():
    """Any status is good news or a leaf of the tree; only 2xx is good news."""
    found = {status: translated(status) for status in range(100, 1000)}
    assert [status for status, error in found.items() if error is None] == list(range(200, 300))
    branches = {errors.ClientError, errors.Transient, errors.Permanent}
    assert branches.isdisjoint(type(error) for error in found.values())


SAID = {
    "nothing": ({}, None),
    "at once": ({"retry_after": 0.0}, 0.0),
    "a wait": ({"retry_after": 30.0}, 30.0),
    "a wait, nothing left": ({"retry_after": 5.0, "remaining": 0, "reset_after": 60.0}, 5.0),
    "nothing left": ({"remaining": 0}, None),
    "nothing left until": ({"remaining": 0, "reset_after": 60.0}, 60.0),
    "something left": ({"remaining": 7, "reset_after": 60.0}, None),
    "a reset alone": ({"reset_after": 60.0}, None),
    "a size alone": ({"limit": 100, "window": 60.0}, None),
}
BODIES = {"JSON": b'{"message": "x"}', "a page": b"<html>", "a word": b"no", "nothing": b""}


@pytest.mark.parametrize(("said", "wait"), SAID.values(), ids=SAID)
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize(
    "status", [200, 204, 304, 400, 401, 403, 404, 408, 425, 429, 500, 502, 503]
)
def test_what_is_a_limit(status, body, said, wait):
    """429 is one; 503 that names a time; 403 in JSON with nothing left; and nothing else is."""
    error = translated(status, body, **said)
    expected = (
        status == 429
        or (status == 503 and wait is not None)
        or (status == 403 and body == BODIES["JSON"] and said.get("remaining") == 0)
    )
    assert isinstance(error, errors.RateLimited) == expected
    if status == 429 and said.get("remaining") is None:
        wait = said.get("retry_after", said.get("reset_after"))
    if isinstance(error, errors.Transient):
        assert error.retry_after == wait


@given(
    status=st.integers(min_value=100, max_value=999),
    retry_after=st.none() | st.floats(min_value=0, max_value=2**31),
    remaining=st.none() | st.integers(min_value=0, max_value=2**31 - 1),
    reset_after=st.none() | st.floats(min_value=0, max_value=2**31),
    body=st.sampled_from(list(BODIES.values())),
)
def test_never_before_retry_after(status, body, **said):
    """Whatever else is said, no answer that may be tried again forgets its Retry-After."""
    error = translated(status, body, **said)
    if isinstance(error, errors.Transient) and said["retry_after"] is not None:
        assert error.retry_after == said["retry_after"]


@pytest.mark.parametrize("body", [b"[]", b"null", b'"limit"', b"{", b"\xff"])
def test_other_403s_stay_permissions(body):
    """A 403 with nothing left is a limit only where an object says so."""
    assert type(translated(403, body, remaining=0)) is errors.Forbidden


@pytest.mark.parametrize(
    ("status", "body", "word", "expected"),
    [
        (403, b"<html>no", "user_agent", (errors.Forbidden, "user_agent")),
        (403, b"<html>no", None, (errors.Forbidden, "forbidden")),
        (403, b"{}", "user_agent", (errors.Forbidden, "forbidden")),
        (403, b"", "user_agent", (errors.Forbidden, "forbidden")),
        (401, b"<html>no", "user_agent", (errors.AuthFailed, "auth_failed")),
        (404, b"<html>no", "user_agent", (errors.NotFound, "not_found")),
        (503, b"<html>no", "user_agent", (errors.Unavailable, "unavailable")),
    ],
)
def test_pages_that_mean_something(status, body, word, expected):
    """Where a vendor says what its 403 page stands for, that is the reason; nowhere else."""
    error = translated(status, body, html_403=word)
    assert (type(error), error.reason, error.status) == (*expected, status)


@pytest.mark.parametrize("status", [200, 204, 302, 500, 503])
def test_pages_are_outages(status):
    """A page for people where data was due is an outage, even with 200."""
    error = translated(status, b"<html>sorry")
    assert (type(error), error.reason) == (errors.Unavailable, "unavailable")


def test_pages_of_4xx_keep_their_meaning():
    """A proxy's 403 page is still a 403."""
    assert type(translated(403, b"<html>no")) is errors.Forbidden


@pytest.mark.parametrize("kind", FAILURES)
def test_all_of_httpx(kind):
    """Whatever httpx raises becomes one of ours; timeouts and lost connections are transient."""
    failure = (
        kind("canary", request=httpx.Request("GET", "http://x/?auth_token=canary"), response=None)
        if kind is httpx.HTTPStatusError
        else kind("odd")
    )
    error = translation.from_failure(failure, vendor="Vendor", asked="GET p", seconds=5)
    transient = issubclass(
        kind, httpx.TimeoutException | httpx.NetworkError | httpx.RemoteProtocolError
    )
    assert isinstance(error, errors.Transient if transient else errors.ClientError)
    assert "GET p" in str(error)


@pytest.mark.parametrize(
    ("failure", "expected", "reason"),
    [
        (httpx.ConnectTimeout("x"), errors.Unavailable, "timeout"),
        (httpx.PoolTimeout("x"), errors.Unavailable, "timeout"),
        (httpx.ConnectError("refused"), errors.Unavailable, "connect_failed"),
        (httpx.ReadError("x"), errors.Unavailable, "unavailable"),
        (httpx.RemoteProtocolError("x"), errors.Unavailable, "unavailable"),
        (httpx.DecodingError("x"), errors.UnexpectedResponse, "unexpected_response"),
        (httpx.InvalidURL("x"), errors.Rejected, "rejected"),
        (httpx.LocalProtocolError("Illegal header value b'canary'"), errors.Rejected, "rejected"),
        (UnicodeError("canary"), errors.Rejected, "rejected"),
    ],
)
def test_failures(failure, expected, reason):
    """Each failure has its reason; texts that may quote a header are not repeated."""
    error = translation.from_failure(failure, vendor="Vendor", asked="GET p", seconds=5)
    assert (type(error), error.reason, error.status) == (expected, reason, None)
    assert "canary" not in str(error)
