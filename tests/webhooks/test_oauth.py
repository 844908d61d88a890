"""Connecting with Beeminder: nothing is believed but our own state and Beeminder's word."""

from urllib.parse import parse_qs, urlsplit

import pytest
from sqlmodel import select

from db.models import Feed, Goal, Source, User
from db.states import FeedState, UserState
from webhooks.services import Identity, ServiceError

TOKEN = "canary-oauth-token"
ALICE = Identity("u1", "alice", "Europe/Vienna")


def _state(serving) -> str:
    """Begin, as a browser does; the cookie stays in the client."""
    location = serving.client.get("/beeminder/connect").headers["Location"]
    return parse_qs(urlsplit(location).query)["state"][0]


def _back(serving, **query):
    return serving.client.get("/beeminder/callback", params=query)


def _users(serving) -> list[User]:
    with serving.ledger.read() as session:
        return list(session.exec(select(User).order_by(User.id)))


def test_connect_leads_to_beeminder(serve):
    """The way there names our app and our address, and binds a state to this browser alone."""
    serving = serve(public_url="https://waggle.test")
    response = serving.client.get("/beeminder/connect")

    location = urlsplit(response.headers["Location"])
    query = {name: values[0] for name, values in parse_qs(location.query).items()}
    assert response.status_code == 302
    assert f"{location.scheme}://{location.netloc}{location.path}" == (
        "https://beeminder.test/apps/authorize"
    )
    assert len(query.pop("state")) >= 32
    assert query == {
        "client_id": "client-1",
        "redirect_uri": "https://waggle.test/beeminder/callback",
        "response_type": "token",
    }
    cookie = response.headers["Set-Cookie"]
    for flag in ("HttpOnly", "SameSite=lax", "Secure", "Max-Age=600"):
        assert flag in cookie


def test_without_an_app_there_is_a_page_that_says_so(serve):
    """Nobody is sent to Beeminder without a client id."""
    response = serve(client_id=None).client.get("/beeminder/connect")

    assert response.status_code == 404
    assert "waggle login" in response.text


def test_success_stores_the_token_and_signs_in(serving):
    """The token's owner by Beeminder's word is linked, whatever the query says, and signed in."""
    serving.services.people[TOKEN] = ALICE
    response = _back(serving, state=_state(serving), access_token=TOKEN, username="mallory")

    assert response.status_code == 303
    assert response.headers["Location"] == "/"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert response.headers["Cache-Control"] == "no-store"
    [user] = _users(serving)
    assert (user.beeminder_id, user.username, user.timezone) == ("u1", "alice", "Europe/Vienna")
    assert (user.token_kind, user.state) == ("oauth", UserState.ACTIVE)
    assert serving.vault.decrypt(user.token_cipher) == TOKEN
    assert "alice" in serving.client.get("/").text


@pytest.mark.parametrize("which", ["missing", "wrong", "other browser", "forged", "expired"])
@pytest.mark.parametrize("outcome", [{"access_token": TOKEN}, {"error": "access_denied"}])
def test_state_that_does_not_match_is_400(serving, which, outcome):
    """Without the state that this browser was given, in time, nothing happens at all."""
    serving.services.people[TOKEN] = ALICE
    state = _state(serving)
    if which == "missing":
        outcome = dict(outcome)
    elif which == "wrong":
        outcome = outcome | {"state": state + "x"}
    else:
        outcome = outcome | {"state": state}
    if which == "other browser":
        serving.client.cookies.clear()
    if which == "forged":
        cookie = serving.client.cookies["waggle_oauth"]
        serving.client.cookies.clear()
        serving.client.cookies["waggle_oauth"] = cookie[:-4] + "AAAA"
    if which == "expired":
        serving.clock.at += 601

    response = _back(serving, **outcome)

    assert response.status_code == 400
    assert serving.services.asked == []
    assert _users(serving) == []
    assert "waggle_session" not in response.headers.get("Set-Cookie", "")


def test_a_state_serves_once(serving):
    """The way back takes the state away: the same address again leads nowhere."""
    serving.services.people[TOKEN] = ALICE
    state = _state(serving)
    first = _back(serving, state=state, access_token=TOKEN)
    second = _back(serving, state=state, access_token=TOKEN)

    assert (first.status_code, second.status_code) == (303, 400)


def test_denial_shows_a_page(serving):
    """Whoever says no is told that nothing was changed; the words of the query are escaped."""
    response = _back(
        serving,
        state=_state(serving),
        error="access_denied",
        error_description="<script>alert(1)</script> denied",
    )

    assert response.status_code == 200
    assert "<script>" not in response.text
    assert "&lt;script&gt;" in response.text
    assert _users(serving) == []


def test_other_errors_are_400(serving):
    """Whatever else Beeminder reports is shown as a failure."""
    response = _back(serving, state=_state(serving), error="redirect_uri_mismatch")

    assert response.status_code == 400


@pytest.mark.parametrize("token", [None, "", "a b", "x" * 513, "gr\u00fcn", "a\nb"])
def test_unusable_token_is_400(serving, token):
    """What cannot be a token is not sent to Beeminder."""
    query = {} if token is None else {"access_token": token}
    response = _back(serving, state=_state(serving), **query)

    assert response.status_code == 400
    assert serving.services.asked == []


def test_token_that_beeminder_does_not_know_is_400(serving):
    """A made-up token links nobody."""
    response = _back(serving, state=_state(serving), access_token="made-up")

    assert response.status_code == 400
    assert _users(serving) == []


def test_beeminder_down_is_503_and_stores_nothing(serving):
    """When Beeminder cannot say whose token it is, nothing is believed."""
    serving.services.error = ServiceError("unavailable", "no answer", transient=True)
    response = _back(serving, state=_state(serving), access_token=TOKEN)

    assert response.status_code == 503
    assert TOKEN not in response.text
    assert _users(serving) == []


def test_a_look_ahead_changes_nothing(serving):
    """A HEAD of the way back does not use the token."""
    serving.services.people[TOKEN] = ALICE
    response = serving.client.head(
        "/beeminder/callback", params={"state": _state(serving), "access_token": TOKEN}
    )

    assert response.status_code == 400
    assert serving.services.asked == []


def test_connecting_again_wakes_what_had_stopped(serving, until):
    """Feeds that the old token had stopped are due at once; those a person paused are not."""
    serving.services.people[TOKEN] = ALICE
    states = [
        (FeedState.STOPPED, "deauthorized"),
        (FeedState.FAILING, "reauthorize"),
        (FeedState.STOPPED, "unlinked"),
        (FeedState.PAUSED, None),
    ]
    with serving.ledger.write() as session:
        user = User(beeminder_id="u1", username="old-name", state=UserState.DEAUTHORIZED)
        session.add(user)
        session.flush()
        source = Source(user_id=user.id, name="s", provider="bemserver")
        goal = Goal(user_id=user.id, slug="energy", declared_slug="energy")
        session.add_all([source, goal])
        session.flush()
        for number, (state, reason) in enumerate(states):
            session.add(
                Feed(
                    goal_id=goal.id,
                    source_id=source.id,
                    label=str(number),
                    metric="m",
                    state=state,
                    reason=reason,
                    due_at=9e12,
                )
            )

    _back(serving, state=_state(serving), access_token=TOKEN)

    with serving.ledger.read() as session:
        feeds = list(session.exec(select(Feed).order_by(Feed.id)))
    assert [feed.state for feed in feeds] == ["active", "active", "stopped", "paused"]
    assert [feed.due_at for feed in feeds] == [serving.clock.now()] * 2 + [9e12] * 2
    assert [user.username for user in _users(serving)] == ["alice"]
    until(lambda: serving.bell.rung == [("sync", "default")])
