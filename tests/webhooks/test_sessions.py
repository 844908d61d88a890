"""Sessions: a cookie names a row, and the row as it is now decides."""

import itsdangerous
import pytest

from db.models import User
from db.states import UserState
from webhooks.services import Identity

TOKEN = "t"


def _sign_in(serving, name="alice", beeminder_id="u1"):
    serving.services.people[TOKEN] = Identity(beeminder_id, name, None)
    location = serving.client.get("/beeminder/connect").headers["Location"]
    state = location.partition("state=")[2]
    return serving.client.get("/beeminder/callback", params={"state": state, "access_token": TOKEN})


def _signed_in(serving) -> bool:
    return "Sign out" in serving.client.get("/").text


def _change(serving, **values):
    with serving.ledger.write() as session:
        user = session.get_one(User, 1)
        for name, value in values.items():
            setattr(user, name, value)
        session.add(user)


@pytest.mark.parametrize(("url", "secure"), [("https://w.test", True), ("http://w.test", False)])
def test_the_cookie_is_out_of_reach(serve, url, secure):
    """No script reads it, no other site sends it along, and behind https it stays there."""
    serving = serve(public_url=url)
    serving.services.people[TOKEN] = Identity("u1", "alice", None)
    location = serving.client.get("/beeminder/connect")
    cookie = location.headers["Set-Cookie"].partition(";")[0]
    state = location.headers["Location"].partition("state=")[2]
    response = serving.client.get(
        "/beeminder/callback",
        params={"state": state, "access_token": TOKEN},
        headers={"Cookie": cookie},
    )

    cookies = response.headers.get_list("Set-Cookie")
    [session] = [value for value in cookies if value.startswith("waggle_session=")]
    assert "HttpOnly" in session
    assert "SameSite=lax" in session
    assert ("Secure" in session) == secure


def test_it_ends_after_thirty_days(serving):
    """An old cookie is no session."""
    _sign_in(serving)
    serving.clock.at += 30 * 24 * 3600 - 1
    before = _signed_in(serving)
    serving.clock.at += 2

    assert before
    assert not _signed_in(serving)


def test_whoever_took_our_access_away_is_signed_out(serving):
    """A de-authorized person sees nothing until they connect again."""
    _sign_in(serving)
    _change(serving, state=UserState.DEAUTHORIZED)

    assert not _signed_in(serving)


def test_a_row_that_is_somebody_else_now_is_not_shown(serving):
    """A row number that was given away again opens nothing."""
    _sign_in(serving)
    _change(serving, beeminder_id="u2")

    assert not _signed_in(serving)


def test_operator_is_decided_by_the_settings_of_now(serve):
    """A name in the settings is an operator; the same cookie without it is not."""
    serving = serve(operators=frozenset({"alice"}))
    _sign_in(serving, name="Alice")
    before = ">operator<" in serving.client.get("/").text
    _change(serving, username="renamed")

    assert before
    assert ">operator<" not in serving.client.get("/").text


@pytest.mark.parametrize("salt", ["form", "oauth state", "itsdangerous", "session"])
def test_what_we_signed_for_else_or_others_signed_is_no_session(serving, salt):
    """A value signed for another purpose, or with another key, signs nobody in."""
    key = "another key" if salt == "session" else "signing key of the tests"
    value = {"user": None, "beeminder_id": None, "operator": True, "nonce": "n", "issued": 9e9}
    forged = itsdangerous.URLSafeSerializer(key, salt=salt).dumps(value)
    serving.client.cookies["waggle_session"] = forged

    assert not _signed_in(serving)
