"""What a person sees and presses at the simulated Beeminder."""

import re

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from simulators.server import LocalServer


@pytest.fixture
def answering(beeminder):
    async def late(_request):
        return PlainTextResponse('{"status":"late"} <b>', status_code=503)

    with LocalServer(Starlette(routes=[Route("/autofetch", late, methods=["POST"])])) as server:
        beeminder.register_app("waggle", autofetch_url=f"{server.url}/autofetch")
        yield


def test_the_front_page_lists_people_goals_and_apps(client):
    """With a refresh button for each goal, and without any asset or script."""
    page = client.get("/")
    assert page.status_code == 200
    for word in ("alice", "/alice/energy", "Europe/Paris", "Refresh", "id-of-waggle"):
        assert word in page.text
    assert "<script" not in page.text
    assert not re.findall(r'(?:src|href)="?https?:', page.text)


def test_the_page_of_a_goal_shows_its_datapoints_escaped(client, api):
    """What a stranger wrote in a comment stays text."""
    api("POST", "me/goals/energy/datapoints", value=4.5, comment="<img src=x>", requestid="r-77")
    page = client.get("/alice/energy")
    assert "4.5" in page.text
    assert "r-77" in page.text
    assert "&lt;img" in page.text
    assert "<img" not in page.text
    assert "20231114" in page.text
    assert client.get("/alice/none").status_code == 404


@pytest.mark.usefixtures("answering")
def test_pressing_refresh_shows_what_the_callback_answered(client, beeminder):
    """Status and body of the answer stand on the page that the button leads to."""
    pressed = client.post("/buttons/refresh", data={"username": "alice", "slug": "energy"})
    assert (pressed.status_code, pressed.headers["location"]) == (303, "/alice/energy")
    page = client.get("/alice/energy").text
    assert "503" in page
    assert "late" in page
    assert "<b>" not in page
    assert [call.status for call in beeminder.calls.made] == [503]


def test_a_button_that_can_call_nobody_says_why(client):
    """The page answers 409 with the reason."""
    pressed = client.post("/buttons/remind", data={"username": "alice", "slug": "energy"})
    assert pressed.status_code == 409
    assert "no reminder hook" in pressed.text


def test_an_authorized_app_can_be_removed(client, beeminder):
    """The button is there once there is a token."""
    assert "De-authorize" not in client.get("/").text
    beeminder.authorize("alice", "waggle")
    assert "De-authorize waggle" in client.get("/").text
