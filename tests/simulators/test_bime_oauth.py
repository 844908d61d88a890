"""The simulated Bime's code flow: what the page says of it, and its switches."""

from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from simulators.bime import Bime
from simulators.server import LocalServer

APP = {
    "client_id": "app-1",
    "client_secret": "app-secret",
    "redirect_uri": "https://waggle.example.org/bime/callback?a=b",
}
ASKED = {
    "response_type": "code",
    "client_id": "app-1",
    "redirect_uri": APP["redirect_uri"],
    "state": "s1",
}


@pytest.fixture
def bime(clock):
    made = Bime(clock=clock)
    made.state.add_account("acme")
    made.state.register_app(**APP, account="acme")
    return made


@pytest.fixture
def client(bime):
    with (
        LocalServer(bime.app) as server,
        httpx.Client(base_url=server.url, trust_env=False) as made,
    ):
        yield made


def back(client, **other):
    """What is in the query when the person is sent back."""
    answer = client.get("/oauth/authorize", params=ASKED | other)
    assert answer.status_code == 302
    assert answer.headers["location"].startswith("https://waggle.example.org/bime/callback?a=b")
    return parse_qs(urlsplit(answer.headers["location"]).query)


def token(client, how="data", path="/oauth/token", **fields):
    """The answer of the token endpoint."""
    return client.post(path, **{how: APP | fields})


@pytest.mark.parametrize("how", ["data", "params"])
def test_a_code_gives_a_token_once(client, how):
    """In the query as documented or in a form, without any grant_type; the state comes back."""
    found = back(client)
    assert found["state"] == ["s1"]
    first = token(client, how, code=found["code"][0])
    assert list(first.json()) == ["access_token"]
    signed = {"authorization": f"Bearer {first.json()['access_token']}"}
    assert client.get("/v2/dashboards", headers=signed).status_code == 200
    again = token(client, how, code=found["code"][0])
    assert (again.status_code, again.json()) == (400, {"error": "invalid_grant"})


def test_codes_end(client, clock):
    """A code is limited in time."""
    code = back(client)["code"][0]
    clock.now += 600
    assert token(client, code=code).json() == {"error": "invalid_grant"}


def test_a_person_may_say_no(bime, client):
    """Then the way back has an error, and so it has for another kind of flow."""
    assert back(client, response_type="token")["error"] == ["unsupported_response_type"]
    bime.state.switch(denies=True)
    assert back(client)["error"] == ["access_denied"]


@pytest.mark.parametrize("verbosity", ["rfc", "draft-5"])
def test_refusals_name_what_is_wrong(bime, client, verbosity):
    """In the words of RFC 6749, or in those of an early draft and with more of them."""
    bime.state.switch(oauth_errors=verbosity)
    refusals = [
        token(client, client_secret="x", code="c").json(),
        token(client, code="c").json(),
        client.post("/oauth/token").json(),
        client.get("/oauth/authorize", params=ASKED | {"redirect_uri": "https://x"}).json(),
    ]
    words = [refusal["error"] for refusal in refusals]
    early = verbosity == "draft-5"
    assert words == [
        "invalid_client_credentials" if early else "invalid_client",
        "bad_authorization_code" if early else "invalid_grant",
        "unknown_format" if early else "invalid_request",
        "redirect_uri_mismatch",
    ]
    assert all(("error_description" in refusal) == early for refusal in refusals)


def test_tokens_may_end_and_be_refreshed(bime, client, clock):
    """Two weeks, as it once was: with a refresh token that is good once."""
    bime.state.switch(expires_in=1_209_600, refresh=True)
    made = token(client, code=back(client)["code"][0]).json()
    assert made["expires_in"] == 1_209_600
    clock.now += 1_209_600
    signed = {"authorization": f"Bearer {made['access_token']}"}
    assert client.get("/v2/dashboards", headers=signed).status_code == 401
    renewing = {"grant_type": "refresh_token", "refresh_token": made["refresh_token"]}
    assert token(client, **renewing).json()["access_token"] != made["access_token"]
    assert token(client, **renewing).status_code == 400


def test_a_refresh_token_may_be_good_for_ever(bime, client):
    """Nobody says that it is used up: one from long ago opens the account again and again."""
    bime.state.switch(refresh_once=False)
    bime.oauth.give("old-refresh-token", APP["client_id"])
    renewing = {"grant_type": "refresh_token", "refresh_token": "old-refresh-token"}
    made = [token(client, **renewing).json()["access_token"] for _ in range(2)]
    assert len(set(made)) == 2
    bime.state.switch(refresh_once=True)
    assert [token(client, **renewing).status_code for _ in range(2)] == [200, 400]


def test_the_old_path_and_the_query_alone(bime, client):
    """Where the token endpoint was before, and a server that reads no form."""
    bime.state.switch(old_path=True)
    code = back(client)["code"][0]
    assert token(client, code=code).status_code == 404
    assert token(client, path="/oauth/access_token", code=code).status_code == 200
    bime.state.switch(old_path=False, query_only=True)
    code = back(client)["code"][0]
    assert token(client, code=code).json() == {"error": "invalid_request"}
    assert token(client, "params", code=code).status_code == 200
