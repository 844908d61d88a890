"""Redirects: one for a read, within the vendor; none for a write."""

import httpx
import pytest

from clients import errors, redaction
from tests.clients.test_gate import NotYetError, Watched

SECRETS = redaction.Credentials(query={"auth_token": "canary-q"})


@pytest.mark.parametrize(
    "location", ["/api/v0/things/b", "http://vendor.test/api/v0/things/b", "b", "things/../b?x=1#f"]
)
def test_one_redirect_of_a_get(api, vendor, location):
    """A GET follows one redirect within the vendor, with our own query."""
    vendor.answers(
        httpx.Response(308, headers={"Location": location}), httpx.Response(200, json=[1])
    )
    assert api.ask(path="things/a", params={"p": "1"}, credentials=SECRETS).json() == [1]
    assert vendor.targets[1] == "GET /api/v0/things/b?p=1&auth_token=canary-q"


@pytest.mark.parametrize(
    "location",
    [
        "https://vendor.test/api/v0/things/b",
        "http://vendor.test:81/api/v0/things/b",
        "http://evil.test/api/v0/things/b",
        "//evil.test/api/v0/things/b",
        "/things/b",
        "/api/v0/charges",
        "/api/v0/things/b/c",
    ],
)
def test_no_redirect_elsewhere(api, vendor, location):
    """Neither another origin nor a route that is not listed is visited; no token travels there."""
    vendor.answers(
        httpx.Response(302, headers={"Location": location}), httpx.Response(200, json=[])
    )
    with pytest.raises(errors.UnexpectedResponse) as caught:
        api.ask(path="things/a", credentials=SECRETS)
    assert caught.value.reason == "redirected"
    assert len(vendor.requests) == 1


def test_redirects_end(api, vendor):
    """A second redirect ends the call, and so does one without a target."""
    vendor.answers(httpx.Response(301, headers={"Location": "b"}))
    with pytest.raises(errors.UnexpectedResponse, match="redirects"):
        api.ask(path="things/a")
    assert len(vendor.requests) == 2
    vendor.answers(httpx.Response(301))
    with pytest.raises(errors.UnexpectedResponse, match="redirects"):
        api.ask(path="things/a")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_writes_are_not_redirected(api, vendor, method, status):
    """A redirect on a write is refused: parameters get lost on the way."""
    vendor.answers(httpx.Response(status, headers={"Location": "/api/v0/things/b"}))
    with pytest.raises(errors.Permanent) as caught:
        api.ask(method, form={"a": "1"})
    assert (caught.value.reason, len(vendor.requests)) == ("redirected", 1)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_that_names_a_time_is_not_followed_before(make_api, http, vendor, status):
    """Retry-After on a redirect is the least wait before the next request: it is no good answer."""
    gate = Watched()
    api = make_api(http=http, base_url="http://vendor.test/api/v0", gate=gate)
    headers = {"Location": "b", "Retry-After": "60"}
    vendor.answers(httpx.Response(status, headers=headers), httpx.Response(200, json=[1]))
    with pytest.raises(NotYetError, match="but not yet"):
        api.ask(path="things/a")
    assert len(vendor.requests) == 1
    ((end, said),) = gate.ends
    assert (end, said.retry_after) == ("refused", 60.0)


def test_a_redirect_that_may_be_followed_at_once_is(make_api, http, vendor):
    """Retry-After: 0 asks for no wait."""
    gate = Watched()
    api = make_api(http=http, base_url="http://vendor.test/api/v0", gate=gate)
    headers = {"Location": "b", "Retry-After": "0"}
    vendor.answers(httpx.Response(302, headers=headers), httpx.Response(200, json=[1]))
    assert api.ask(path="things/a").json() == [1]
    assert gate.outcomes == ["answered", "answered"]
