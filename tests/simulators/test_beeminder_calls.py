"""The calls that the simulated Beeminder makes by itself, against a real receiver."""

import json
import threading

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from simulators.beeminder_calls import NotCalledError
from simulators.faults import Fault, Faults
from simulators.server import LocalServer


@pytest.fixture
def receiver(beeminder):
    """Takes every call; its faults are our late or failing service."""

    async def take(request):
        await request.body()
        return PlainTextResponse("taken")

    app = Faults(Starlette(routes=[Route("/{what}", take, methods=["POST"])]))
    with LocalServer(app) as server:
        beeminder.register_app(
            "waggle",
            autofetch_url=f"{server.url}/autofetch",
            deauthorize_url=f"{server.url}/deauthorized",
        )
        beeminder.state.users["alice"].hook_url = f"{server.url}/hook"
        yield app


def test_refresh_posts_username_and_slug_as_a_form(beeminder, receiver):
    """The result tells what the receiver said and how long it took."""
    made = beeminder.calls.refresh("alice", "energy")
    (request,) = receiver.requests
    assert (request.method, request.path) == ("POST", "/autofetch")
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert request.body == b"username=alice&slug=energy"
    assert (made.status, made.body, made.error) == (200, "taken", None)
    assert list(beeminder.calls.made) == [made]


@pytest.mark.parametrize("autodata", [None, "api", "fitbit"])
def test_a_goal_with_another_datasource_is_never_called(beeminder, receiver, autodata):
    """Unless it is forced."""
    beeminder.state.goal("alice", "energy").autodata = autodata
    with pytest.raises(NotCalledError):
        beeminder.calls.refresh("alice", "energy")
    assert not receiver.requests
    assert beeminder.calls.refresh("alice", "energy", force=True).status == 200


def test_failures_and_silence_are_results_and_not_exceptions(beeminder, receiver):
    """A 503, a lost reply and a timeout are what a test wants to see."""
    receiver.add(Fault(status=503, retry_after="7"))
    late = beeminder.calls.refresh("alice", "energy")
    assert (late.status, late.headers["retry-after"]) == (503, "7")
    receiver.add(Fault(action="lose_reply"))
    lost = beeminder.calls.refresh("alice", "energy")
    assert lost.status is None
    assert "RemoteProtocolError" in lost.error
    beeminder.calls.timeout = 0.2
    receiver.add(Fault(action="delay", delay=30))
    silent = beeminder.calls.refresh("alice", "energy")
    assert silent.status is None
    assert 0.1 < silent.duration < 5


def test_the_reminder_is_the_goal_as_json_without_a_user_name(beeminder, receiver):
    """`{"goal": {...}}` and nothing else."""
    assert beeminder.calls.remind("alice", "energy").status == 200
    (request,) = receiver.requests
    assert request.headers["content-type"] == "application/json"
    body = json.loads(request.body)
    assert list(body) == ["goal"]
    assert body["goal"]["slug"] == "energy"
    assert "username" not in body["goal"]


def test_deauthorization_kills_the_token_and_posts_it(beeminder, receiver):
    """One parameter, no user name; without a token there is nothing to tell."""
    token = beeminder.authorize("alice", "waggle")
    assert beeminder.calls.deauthorize("alice").status == 200
    assert receiver.requests[0].body == f"access_token={token}".encode()
    assert not beeminder.state.oauth_tokens
    with pytest.raises(NotCalledError):
        beeminder.calls.deauthorize("alice")


def test_refresh_over_http_waits_or_does_not(beeminder, receiver, client):
    """`POST /_sim/refresh` gives the result; with wait=false it comes to /_sim/calls."""
    goal = {"username": "alice", "slug": "energy"}
    assert client.post("/_sim/refresh", json=goal).json()["status"] == 200
    arrived = threading.Event()
    keep = beeminder.calls.made

    class Watched(type(keep)):
        def append(self, item):
            super().append(item)
            arrived.set()

    beeminder.calls.made = Watched(keep, maxlen=10)
    assert client.post("/_sim/refresh", json={**goal, "wait": False}).json()["waiting"] is True
    assert arrived.wait(10)
    shown = client.get("/_sim/calls").json()
    assert [call["status"] for call in shown] == [200, 200]
    assert receiver.count("/autofetch") == 2


def test_refresh_graph_calls_the_receiver_without_waiting_for_it(beeminder, receiver, api):
    """It answers true at once although the receiver is slow, and queues the goal."""
    receiver.add(Fault(action="delay", delay=60))
    assert api("GET", "me/goals/energy/refresh_graph") is True
    assert api("GET", "me/goals/energy")["queued"] is True
    assert not beeminder.calls.made


def test_refresh_graph_of_a_goal_without_an_app_only_queues_it(beeminder, receiver, api):
    """Nobody is called for a goal that is fed by hand or by somebody else."""
    beeminder.state.goal("alice", "energy").autodata = None
    assert api("GET", "me/goals/energy/refresh_graph") is True
    assert api("GET", "me/goals/energy")["queued"] is True
    assert not receiver.requests


def test_refresh_graph_may_not_want_to(beeminder, receiver, api):
    """Then it answers false, queues nothing and calls nobody."""
    beeminder.state.refreshes = False
    assert api("GET", "me/goals/energy/refresh_graph") is False
    assert api("GET", "me/goals/energy")["queued"] is False
    assert not beeminder.calls._running
    assert not receiver.requests


def test_calls_that_cannot_be_made_are_409_with_a_reason(client):
    """The app of this fixture has no URL yet."""
    answer = client.post("/_sim/refresh", json={"username": "alice", "slug": "energy"})
    assert answer.status_code == 409
    assert "no autofetch URL" in answer.json()["error"]
