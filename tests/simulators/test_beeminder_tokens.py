"""Both kinds of token and the OAuth pages of the simulated Beeminder."""

from urllib.parse import parse_qs, urlsplit

import pytest

ASKED = {
    "client_id": "id-of-waggle",
    "redirect_uri": "http://127.0.0.1:1/callback",
    "response_type": "token",
    "state": "s-1",
}


def _me(client, **how):
    return client.get("/api/v1/users/me.json", **how)


def _answer(response):
    target = urlsplit(response.headers["location"])
    assert target._replace(query="").geturl() == ASKED["redirect_uri"]
    return {name: values[0] for name, values in parse_qs(target.query).items()}


def test_each_token_works_only_under_its_own_name(client, beeminder):
    """Mixing up the two parameter names is 401, and the body says which one was bad."""
    oauth = beeminder.authorize("alice", "waggle")
    assert _me(client, params={"auth_token": "personal-1"}).status_code == 200
    assert _me(client, params={"access_token": oauth}).status_code == 200
    assert _me(client, headers={"authorization": f"Bearer {oauth}"}).status_code == 200
    for params, key in (
        ({"auth_token": oauth}, "auth_token"),
        ({"access_token": "personal-1"}, "access_token"),
    ):
        refused = _me(client, params=params)
        assert (refused.status_code, refused.json()["errors"][key]) == (401, "bad_token")
    personal_as_bearer = _me(client, headers={"authorization": "Bearer personal-1"})
    assert personal_as_bearer.status_code == 401
    assert _me(client).json()["errors"]["token"] == "no_token"
    assert set(client.get("/api/v1/auth_token.json").json()) == {"error"}


def test_a_new_authorization_kills_the_token_before(client, beeminder):
    """One live token per user and app."""
    first = beeminder.authorize("alice", "waggle")
    second = beeminder.authorize("alice", "waggle")
    assert first != second
    assert _me(client, params={"access_token": first}).status_code == 401
    assert _me(client, params={"access_token": second}).status_code == 200
    assert beeminder.revoke("alice", "waggle") == second
    assert _me(client, params={"access_token": second}).status_code == 401


def test_consent_leads_back_with_token_username_and_state(client):
    """The page asks first; the query of the redirect carries what the real one sends."""
    page = client.get("/apps/authorize", params=ASKED)
    assert page.status_code == 200
    assert "Authorize" in page.text
    assert "Deny" in page.text
    given = _answer(client.post("/apps/authorize", data={**ASKED, "decision": "authorize"}))
    assert (given["username"], given["state"]) == ("alice", "s-1")
    assert _me(client, params={"access_token": given["access_token"]}).status_code == 200


def test_denial_leads_back_with_the_error_and_state(client, beeminder):
    """Nothing is authorized."""
    given = _answer(client.post("/apps/authorize", data={**ASKED, "decision": "deny"}))
    assert given == {
        "error": "access_denied",
        "error_description": "The user denied you access",
        "state": "s-1",
    }
    assert not beeminder.state.oauth_tokens


def test_who_has_authorized_before_is_sent_straight_back_with_a_new_token(client):
    """The second time shows no page, and rotates the token."""
    first = _answer(client.get("/apps/authorize", params={**ASKED, "auto": "1"}))
    second = _answer(client.get("/apps/authorize", params=ASKED))
    assert second["access_token"] != first["access_token"]
    assert _me(client, params={"access_token": first["access_token"]}).status_code == 401


@pytest.mark.parametrize(
    ("change", "word"),
    [({"client_id": "nobody"}, "invalid_client"), ({"redirect_uri": "http://evil"}, "mismatch")],
)
def test_an_unknown_client_or_redirect_gets_a_page_and_no_redirect(client, change, word):
    """A token must not be sent to an address that nobody registered."""
    answer = client.get("/apps/authorize", params={**ASKED, **change, "auto": "1"})
    assert answer.status_code == 400
    assert word in answer.text


def test_only_the_implicit_grant_exists(client):
    """Another response_type is refused by redirect."""
    given = _answer(client.get("/apps/authorize", params={**ASKED, "response_type": "code"}))
    assert given["error"] == "unsupported_response_type"
    assert given["state"] == "s-1"
