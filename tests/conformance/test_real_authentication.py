"""What our client assumes about logging in, tokens and refusals, asked of the real BEMServer."""

import base64
import json
import time

import pytest

LOGIN = {"email": "bob@bem.test", "password": "bob-pw-1"}


def claims(token):
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def code(answer):
    return answer.json()["errors"]["authentication"]


def test_login_gives_a_pair_whose_lifetimes_stand_only_in_the_tokens(bem, http):
    """A good login answers 15 minutes of access and 60 days of refresh, told by `exp` alone."""
    before = int(time.time())
    answer = http.post(f"{bem.url}/auth/token", json=LOGIN)
    body = answer.json()
    assert answer.status_code == 200
    assert set(body) == {"status", "access_token", "refresh_token"}
    assert body["status"] == "success"
    access, refresh = claims(body["access_token"]), claims(body["refresh_token"])
    assert (access["type"], refresh["type"]) == ("access", "refresh")
    assert 0 <= access["exp"] - before - 900 <= 5
    assert 0 <= refresh["exp"] - before - 60 * 86400 <= 5


@pytest.mark.parametrize(
    "login",
    [
        LOGIN | {"password": "wrong"},
        {"email": "nobody@bem.test", "password": "x"},
        {"email": "gone@bem.test", "password": "gone-pw-1"},
    ],
    ids=["wrong password", "unknown user", "inactive user"],
)
def test_a_failed_login_is_answered_200(bem, http, login):
    """A refused login has status 200 and no tokens: a client must read the body."""
    answer = http.post(f"{bem.url}/auth/token", json=login)
    assert (answer.status_code, answer.json()) == (200, {"status": "failure"})


@pytest.mark.parametrize(
    ("authorization", "expected"),
    [
        (None, "missing_authentication"),
        ("Bearer nonsense", "invalid_token"),
        ("bearer x", "invalid_scheme"),
        ("Basic Ym9iOmI=", "invalid_scheme"),
    ],
)
def test_a_refusal_names_its_code_under_errors(bem, http, authorization, expected):
    """A 401 has its code in errors.authentication and no message."""
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = http.get(f"{bem.url}/timeseries/", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.json() == {
        "code": 401,
        "status": "Unauthorized",
        "errors": {"authentication": expected},
    }


@pytest.mark.parametrize("kind", ["access", "refresh"])
def test_expired_is_told_apart_from_invalid(bem, http, kind):
    """Either token past its `exp` is answered expired_token, wherever it is shown."""
    token = bem.token("bob@bem.test", kind=kind, expires_in=-2)
    headers = {"Authorization": f"Bearer {token}"}
    for method, path in (("GET", "/timeseries/"), ("POST", "/auth/token/refresh")):
        answer = http.request(method, bem.url + path, headers=headers)
        assert (answer.status_code, code(answer)) == (401, "expired_token")


def test_a_token_in_the_wrong_place_is_invalid(bem, http):
    """A refresh token reads nothing, an access token refreshes nothing."""
    for kind, method, path in (
        ("refresh", "GET", "/timeseries/"),
        ("access", "POST", "/auth/token/refresh"),
    ):
        token = bem.token("bob@bem.test", kind=kind)
        answer = http.request(method, bem.url + path, headers={"Authorization": f"Bearer {token}"})
        assert (answer.status_code, code(answer)) == (401, "invalid_token")


def test_refresh_gives_a_new_pair_and_leaves_the_old_one_valid(bem, http):
    """Refreshing is stateless: two workers may do it with the same token."""
    old = bem.token("bob@bem.test", kind="refresh", expires_in=60)
    headers = {"Authorization": f"Bearer {old}"}
    for _ in range(2):
        answer = http.post(f"{bem.url}/auth/token/refresh", headers=headers)
        assert answer.status_code == 200
        body = answer.json()
        assert body["status"] == "success"
        assert claims(body["refresh_token"])["exp"] > claims(old)["exp"]
        fresh = {"Authorization": f"Bearer {body['access_token']}"}
        assert http.get(f"{bem.url}/timeseries/", headers=fresh).status_code == 200


def test_an_inactive_user_is_forbidden(bem, http):
    """A good token of a user who was switched off is answered 403, also when refreshing."""
    access = {"Authorization": f"Bearer {bem.token('gone@bem.test')}"}
    refresh = {"Authorization": f"Bearer {bem.token('gone@bem.test', kind='refresh')}"}
    assert http.get(f"{bem.url}/timeseries/", headers=access).status_code == 403
    assert http.post(f"{bem.url}/auth/token/refresh", headers=refresh).status_code == 403


def test_about_needs_no_token(bem, http):
    """The version probe answers anybody, with the versions that we pin."""
    answer = http.get(f"{bem.url}/about/")
    assert answer.json() == {"versions": {"bemserver_core": "0.22.0", "bemserver_api": "0.27.0"}}
