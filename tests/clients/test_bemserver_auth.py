"""Logging in to BEMServer and refreshing."""

import json
import traceback

import httpx
import pytest

from clients import bemserver, errors

PAIR = {"status": "success", "access_token": "acc-canary", "refresh_token": "ref-canary"}


@pytest.fixture
def login(http):
    def call():
        return bemserver.login(
            http=http, base_url="http://bem.test/api/v0", email="a@bem.test", password="pass-canary"
        )

    return call


@pytest.fixture
def refresh(http):
    def call():
        return bemserver.refresh(
            http=http, base_url="http://bem.test/api/v0/", refresh_token="old-canary"
        )

    return call


def test_logging_in(login, vendor):
    """Exactly the two documented fields are sent; the pair comes back."""
    vendor.answers(httpx.Response(200, json=PAIR))
    assert (login().access, login().refresh) == ("acc-canary", "ref-canary")
    assert vendor.targets[0] == "POST /api/v0/auth/token"
    assert json.loads(vendor.last.content) == {"email": "a@bem.test", "password": "pass-canary"}
    assert vendor.last.headers["Content-Type"] == "application/json"
    assert "Authorization" not in vendor.last.headers


def test_a_refusal_that_is_answered_with_200(login, refresh, vendor, recorded):
    """A wrong password is answered with 200 and is a failed login all the same."""
    vendor.answers(recorded("login_refused"))
    for call in (login, refresh):
        with pytest.raises(errors.AuthFailed) as caught:
            call()
        assert (caught.value.reason, caught.value.status) == ("auth_failed", 200)


def test_refreshing(refresh, vendor):
    """The refresh token goes in the header, with no body; both tokens are new."""
    vendor.answers(httpx.Response(200, json=PAIR))
    assert refresh().refresh == "ref-canary"
    assert vendor.targets == ["POST /api/v0/auth/token/refresh"]
    assert vendor.last.headers["Authorization"] == "Bearer old-canary"
    assert vendor.last.content == b""


@pytest.mark.parametrize(
    ("name", "reason"), [("expired", "refresh_expired"), ("invalid", "auth_failed")]
)
def test_refresh_refused(refresh, vendor, recorded, name, reason):
    """An old refresh token is told apart from a wrong one: log in again, or look into it."""
    vendor.answers(recorded(name))
    with pytest.raises(errors.AuthFailed) as caught:
        refresh()
    assert (caught.value.reason, caught.value.status) == (reason, 401)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (httpx.Response(403), errors.Forbidden),
        (httpx.Response(422, json={"errors": {"json": {"email": ["bad"]}}}), errors.Rejected),
        (httpx.Response(500), errors.Unavailable),
        (
            httpx.Response(308, headers={"Location": "/api/v0/auth/token/"}),
            errors.UnexpectedResponse,
        ),
        (httpx.Response(200, html="<html>"), errors.Unavailable),
        (httpx.Response(200, json={}), errors.UnexpectedResponse),
        (httpx.Response(200, json=[]), errors.UnexpectedResponse),
        (httpx.Response(200, json={**PAIR, "access_token": None}), errors.UnexpectedResponse),
        (httpx.Response(200, json={**PAIR, "refresh_token": "a b"}), errors.UnexpectedResponse),
        (httpx.ReadTimeout("x"), errors.Unavailable),
    ],
)
def test_failures_by_call(login, refresh, vendor, answer, kind):
    """Each failure means the same for both calls, and no secret is in what anybody reads."""
    vendor.answers(answer)
    for call in (login, refresh):
        with pytest.raises(kind) as caught:
            call()
        text = "".join(traceback.format_exception(caught.value))
        assert "pass-canary" not in text.replace('password="pass-canary"', "")
        assert "old-canary" not in text.replace('refresh_token="old-canary"', "")


def test_an_unkind_server_learns_nothing_more(login, vendor):
    """A server that repeats the password in its error does not get it into ours."""
    vendor.answers(lambda request: httpx.Response(422, json={"errors": request.content.decode()}))
    with pytest.raises(errors.Rejected) as caught:
        login()
    assert "pass-canary" not in str(caught.value) + repr(vars(caught.value))
