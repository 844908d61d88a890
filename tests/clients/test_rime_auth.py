"""Logging in to RIME and refreshing."""

import json
import traceback

import httpx
import pytest

from clients import errors, rime

FULL = {
    "access_token": "acc-canary",
    "refresh_token": "new-canary",
    "token_type": "Bearer",
    "expires_in": 3600,
}
BASE = "https://acme.rimedata.io/api/v1"


@pytest.fixture
def login(http):
    def call():
        return rime.login(http=http, base_url=BASE, email="a@x.test", password="pass-canary")

    return call


@pytest.fixture
def refresh(http):
    def call(path="auth/refresh"):
        return rime.refresh(http=http, base_url=BASE, refresh_token="old-canary", path=path)

    return call


def test_logging_in(login, vendor):
    """The documented body goes to the documented path, without a token; what comes is kept."""
    vendor.answers(httpx.Response(200, json=FULL))
    found = login()
    assert (found.access, found.refresh, found.expires_in) == ("acc-canary", "new-canary", 3600)
    assert vendor.targets == ["POST /api/v1/auth/login"]
    assert json.loads(vendor.last.content) == {"email": "a@x.test", "password": "pass-canary"}
    assert "Authorization" not in vendor.last.headers
    assert "canary" not in repr(found)


def test_refreshing(refresh, vendor):
    """The refresh token goes in the body, to the path of the settings."""
    vendor.answers(httpx.Response(200, json=FULL))
    assert refresh().refresh == "new-canary"
    assert json.loads(vendor.last.content) == {"refresh_token": "old-canary"}
    refresh("/auth/token/renew/")
    assert vendor.targets == ["POST /api/v1/auth/refresh", "POST /api/v1/auth/token/renew"]


@pytest.mark.parametrize("new", [{}, {"refresh_token": None}])
def test_the_old_refresh_token_is_kept_where_no_new_one_comes(refresh, login, vendor, new):
    """A server that does not rotate leaves us able to refresh; a login without one has none."""
    vendor.answers(httpx.Response(200, json={"access_token": "acc-canary", **new}))
    found = refresh()
    assert (found.refresh, found.expires_in) == ("old-canary", None)
    assert login().refresh is None


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(404, json={"error": {"code": "resource_not_found", "message": "no"}}),
        httpx.Response(404, html="<html>"),
        httpx.Response(405),
        httpx.Response(410),
        httpx.Response(400, json={"error": {"message": "no"}}),
        httpx.Response(403),
        httpx.Response(422),
        httpx.Response(302, headers={"Location": "/login"}),
        httpx.Response(200, html="<html>the app"),
        httpx.Response(200, json={"ok": True}),
        httpx.Response(200, text="{"),
    ],
)
def test_where_nothing_refreshes_a_login_is_next(refresh, vendor, answer):
    """A path that is not there, in whatever way that is said, is AuthFailed: log in instead."""
    vendor.answers(answer)
    with pytest.raises(errors.AuthFailed) as caught:
        refresh()
    assert caught.value.reason == "no_refresh"
    assert "old-canary" not in str(caught.value)


def test_a_refresh_token_that_is_refused(refresh, vendor):
    """A 401 is AuthFailed as it is."""
    vendor.answers(httpx.Response(401, json={"error": {"message": "expired"}}))
    with pytest.raises(errors.AuthFailed, match="expired") as caught:
        refresh()
    assert caught.value.reason == "auth_failed"


@pytest.mark.parametrize("answer", [httpx.Response(500), httpx.Response(502, html="<html>"),
                                    httpx.Response(429), httpx.ReadTimeout("x"),
                                    httpx.ConnectError("x")])  # fmt: skip
def test_trouble_is_no_reason_to_log_in(refresh, login, vendor, answer):
    """A server that is down or asks for a pause is left alone."""
    vendor.answers(answer)
    for call in (refresh, login):
        with pytest.raises(errors.Transient):
            call()


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (httpx.Response(401, json={"error": {"message": "wrong"}}), errors.AuthFailed),
        (httpx.Response(403), errors.Forbidden),
        (httpx.Response(404), errors.NotFound),
        (httpx.Response(422), errors.Rejected),
        (httpx.Response(308, headers={"Location": "/x"}), errors.UnexpectedResponse),
        (httpx.Response(200, json=[]), errors.UnexpectedResponse),
        (httpx.Response(200, json={}), errors.UnexpectedResponse),
        (httpx.Response(200, json={**FULL, "access_token": "a b"}), errors.UnexpectedResponse),
        (httpx.Response(200, json={**FULL, "access_token": ""}), errors.UnexpectedResponse),
        (httpx.Response(200, json={**FULL, "access_token": 7}), errors.UnexpectedResponse),
        (httpx.Response(200, json={**FULL, "refresh_token": 7}), errors.UnexpectedResponse),
        (httpx.Response(200, json={**FULL, "token_type": "mac"}), errors.UnexpectedResponse),
        (httpx.Response(200, json={**FULL, "expires_in": "soon"}), errors.UnexpectedResponse),
        (httpx.Response(200, json={**FULL, "expires_in": 0}), errors.UnexpectedResponse),
        (httpx.Response(200, json={**FULL, "expires_in": True}), errors.UnexpectedResponse),
        (httpx.Response(200, text='{"access_token": "' + "x" * 200_000), errors.UnexpectedResponse),
    ],
)
def test_failures_of_a_login(login, vendor, answer, kind):
    """Each ends in the tree, and no secret is in what anybody reads."""
    vendor.answers(answer)
    with pytest.raises(kind) as caught:
        login()
    text = "".join(traceback.format_exception(caught.value)) + repr(vars(caught.value))
    assert "canary" not in text.replace('password="pass-canary"', "")


def test_an_unkind_server_learns_nothing_more(login, refresh, vendor):
    """A server that repeats what was sent does not get it into our errors."""
    vendor.answers(
        lambda request: httpx.Response(422, json={"error": {"message": request.content.decode()}})
    )
    for call in (login, refresh):
        with pytest.raises(errors.Permanent) as caught:
            call()
        assert "canary" not in str(caught.value) + repr(vars(caught.value))


@pytest.mark.parametrize("where", ["auth/../x", "https://evil.test/refresh", ""])
def test_a_path_that_leads_elsewhere(refresh, vendor, where):
    """The refresh token is sent below the address only."""
    with pytest.raises(ValueError, match="path below"):
        refresh(where)
    assert vendor.requests == []
