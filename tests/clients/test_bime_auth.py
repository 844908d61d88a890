"""Linking an account of Bime: where a person is sent, and what a code is good for."""

import io
import logging
import traceback
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx
import pytest

from clients import errors
from clients.bime_auth import BimeApp, BimeToken, BimeTokenClient, StaticToken

REDIRECT = "https://waggle.example.org/bime/callback"
SECRET, CODE, REFRESH = "canary-secret", "canary-code", "canary-refresh"
TOKEN = {"access_token": "canary-access"}
CALLS = {
    "exchange": lambda client: client.exchange(code=CODE, redirect_uri=REDIRECT),
    "refresh": lambda client: client.refresh(REFRESH),
}


@pytest.fixture
def make(http, clock):
    def made(**more):
        app = BimeApp(
            oauth_url="http://acme.test/", client_id="app-1", client_secret=SECRET, **more
        )
        return BimeTokenClient(app, http=http, clock=clock)

    return made


def test_where_a_person_is_sent():
    """The documented parameters and a state; odd letters are escaped, the secret is not there."""
    app = BimeApp(oauth_url="https://acme.bimeapp.com/", client_id="a&b", client_secret=SECRET)
    url = urlsplit(app.authorize_url(redirect_uri=REDIRECT, state="s=1"))
    assert (url.scheme, url.netloc, url.path) == ("https", "acme.bimeapp.com", "/oauth/authorize")
    assert parse_qs(url.query) == {
        "response_type": ["code"],
        "client_id": ["a&b"],
        "redirect_uri": [REDIRECT],
        "state": ["s=1"],
    }
    assert SECRET not in repr(app)


def test_a_code_goes_in_the_form(make, vendor):
    """Nothing in the URL; the grant is named although the page does not."""
    vendor.answers(httpx.Response(200, json=TOKEN | {"token_type": "bearer"}))
    assert CALLS["exchange"](make()) == BimeToken("canary-access")
    assert vendor.targets == ["POST /oauth/token"]
    assert dict(parse_qsl(vendor.last.content.decode())) == {
        "grant_type": "authorization_code",
        "client_id": "app-1",
        "client_secret": SECRET,
        "redirect_uri": REDIRECT,
        "code": CODE,
    }
    assert "Authorization" not in vendor.last.headers


def test_a_refresh_token_goes_in_the_form(make, vendor):
    """With the app's credentials; a new one may come back."""
    vendor.answers(httpx.Response(200, json=TOKEN | {"refresh_token": "r-2", "expires_in": "60"}))
    assert CALLS["refresh"](make()) == BimeToken("canary-access", "r-2", 60.0)
    assert dict(parse_qsl(vendor.last.content.decode())) == {
        "grant_type": "refresh_token",
        "client_id": "app-1",
        "client_secret": SECRET,
        "refresh_token": REFRESH,
    }


@pytest.mark.parametrize("call", CALLS)
def test_in_the_query_it_is_on_the_wire_only(make, vendor, call):
    """The documented form: the request line has it all, no URL, no log line and no error does."""
    stream = io.StringIO()
    handler, root = logging.StreamHandler(stream), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        vendor.answers(httpx.Response(200, json=TOKEN))
        CALLS[call](make(in_query=True))
        (target,) = vendor.targets
        url, body = str(vendor.last.url), vendor.last.content
        vendor.answers(lambda request: httpx.Response(400, text=str(request.extensions)))
        with pytest.raises(errors.Rejected) as caught:
            CALLS[call](make(in_query=True))
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    sent = dict(parse_qsl(urlsplit(target).query))
    assert {"client_id", "client_secret", "grant_type"} < set(sent)
    assert (sent["client_secret"], body) == (SECRET, b"")
    assert ("code" in sent) == (call == "exchange")
    shown = url + stream.getvalue() + str(caught.value) + repr(vars(caught.value))
    assert [canary for canary in (SECRET, CODE, REFRESH) if canary in shown] == []
    assert "oauth/token" in stream.getvalue()


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("in_query", [False, True])
@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (httpx.Response(400, json={"error": "invalid_grant"}), errors.AuthFailed),
        (httpx.Response(400, json={"error": "bad_authorization_code"}), errors.AuthFailed),
        (httpx.Response(400, json={"error": {"type": "expired"}}), errors.AuthFailed),
        (httpx.Response(401, json={"error": "invalid_client"}), errors.AuthFailed),
        (httpx.Response(401), errors.AuthFailed),
        (httpx.Response(400), errors.Rejected),
        (httpx.Response(400, json={"error": f"no {CODE}"}), errors.Rejected),
        (httpx.Response(400, json={"error": "invalid_request"}), errors.Rejected),
        (httpx.Response(400, html="<html>"), errors.Rejected),
        (httpx.Response(403), errors.Forbidden),
        (httpx.Response(404), errors.NotFound),
        (httpx.Response(410), errors.NotFound),
        (httpx.Response(429), errors.RateLimited),
        (httpx.Response(500, json={"error": "invalid_grant"}), errors.Unavailable),
        (httpx.Response(304), errors.UnexpectedResponse),
        (httpx.Response(302, headers={"Location": "/oauth/token"}), errors.UnexpectedResponse),
        (
            httpx.Response(307, headers={"Location": "http://evil.test/oauth/token"}),
            errors.UnexpectedResponse,
        ),
        (httpx.Response(200, html="<html>"), errors.Unavailable),
        (httpx.Response(200, text="access_token=canary-access"), errors.UnexpectedResponse),
        (httpx.Response(200, json={}), errors.UnexpectedResponse),
        (httpx.Response(200, json=[TOKEN]), errors.UnexpectedResponse),
        (httpx.Response(200, json={"access_token": None}), errors.UnexpectedResponse),
        (httpx.Response(200, json={"access_token": "a b"}), errors.UnexpectedResponse),
        (httpx.Response(200, json={"access_token": "a\n"}), errors.UnexpectedResponse),
        (httpx.Response(200, json=TOKEN | {"refresh_token": 7}), errors.UnexpectedResponse),
        (httpx.Response(200, json=TOKEN | {"expires_in": "soon"}), errors.UnexpectedResponse),
        (httpx.Response(200, json=TOKEN | {"expires_in": -1}), errors.UnexpectedResponse),
        (httpx.ConnectError("x"), errors.Unavailable),
        (httpx.ReadTimeout("x"), errors.Unavailable),
        (httpx.ReadError("x"), errors.Unavailable),
    ],
    ids=range(30),
)
def test_failures_by_call(make, vendor, call, in_query, answer, kind):
    """Each failure means the same for both calls, is asked once, and quotes no secret."""
    vendor.answers(answer)
    with pytest.raises(errors.ClientError) as caught:
        CALLS[call](make(in_query=in_query))
    assert type(caught.value) is kind
    assert len(vendor.requests) == 1
    text = "".join(traceback.format_exception(caught.value)) + repr(vars(caught.value))
    assert "canary" not in text


def test_a_server_that_does_not_understand_gets_a_hint(make, vendor):
    """It may read the query string only, as the page shows it."""
    vendor.answers(httpx.Response(400, json={"error": "invalid_request"}))
    with pytest.raises(errors.Rejected, match="token_in_query = true"):
        CALLS["exchange"](make())


def test_the_reason_is_told(make, vendor):
    """The one word that is the vendor's name for it."""
    vendor.answers(httpx.Response(400, json={"error": "bad_authorization_code"}))
    with pytest.raises(errors.AuthFailed, match="bad_authorization_code"):
        CALLS["exchange"](make())


@pytest.mark.parametrize(("told", "life"), [(None, None), (0, None), (60, 60.0), (1e15, 2.0**31)])
def test_how_long_a_token_lives(make, vendor, told, life):
    """Without an end, or with 0, it is a long-lived one."""
    vendor.answers(httpx.Response(200, json=TOKEN | {"expires_in": told}))
    assert CALLS["exchange"](make()).life == life


def test_tokens_do_not_show_themselves():
    """Logged by accident they show nothing."""
    shown = repr(BimeToken("canary-a", "canary-r", 1.0)) + repr(StaticToken("canary-s"))
    assert "canary" not in shown


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "oauth/token"), ("POST", "oauth/authorize"), ("POST", "oauth/access_token")],
)
def test_only_the_token_endpoint(make, vendor, method, path):
    """Nothing else can be asked for there."""
    with pytest.raises(ValueError, match="not among"):
        make()._request(method, path)
    assert vendor.requests == []
