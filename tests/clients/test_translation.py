"""Every status and every transport failure has its place in the tree."""

import inspect

import httpx
import pytest

from clients import answers, errors, translation

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


def translated(status, body=b"{}", *, wait=None):
    answer = answers.Answer(
        method="GET",
        path="p",
        status=status,
        headers=httpx.Headers({"X-Request-Id": "r"}),
        body=body,
    )
    return translation.from_answer(answer, vendor="Vendor", text="why", wait=wait)


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


@pytest.mark.parametrize("status", [429, 503, 500, 502])
def test_retry_after_rides_along(status):
    """A wait that the vendor named is kept with every transient error; with 503 it is a limit."""
    error = translated(status, wait=30.0)
    assert error.retry_after == 30
    assert isinstance(error, errors.RateLimited) == (status in (429, 503))


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
