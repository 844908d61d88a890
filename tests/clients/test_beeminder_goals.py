"""What the client reads and changes of a goal as a whole."""

import urllib.parse

import httpx
import pytest

from clients import beeminder, errors
from clients.beeminder_models import Token


@pytest.fixture
def client(http):
    return beeminder.BeeminderClient(http=http, token=Token("oauth", "tok-canary"))


def fields(request):
    return dict(urllib.parse.parse_qsl(request.content.decode(), keep_blank_values=True))


def test_the_bright_red_line(client, vendor, recorded):
    """The rows of the line come whole, with what is not known as None; no graph is no line."""
    body = recorded("goal").json()
    rows = [[1_760_000_000, 0, None], [1_769_400_000, 12, 0.5], [1_800_000_000, 13.0, 2]]
    vendor.answers(httpx.Response(200, json={**body, "fullroad": rows}))
    goal = client.goal_with_road("power")
    assert goal.fullroad == [tuple(row) for row in rows]
    assert (goal.slug, goal.deadline, goal.runits) == ("power", -10800, "d")
    assert "emaciated" not in vendor.targets[0]
    for nothing in ({}, {"fullroad": None}, {"fullroad": []}):
        vendor.answers(httpx.Response(200, json={**body, **nothing}))
        assert client.goal_with_road("power").fullroad == []
    vendor.answers(httpx.Response(200, json={**body, "fullroad": [[1, 2]]}))
    with pytest.raises(errors.UnexpectedResponse, match="fullroad"):
        client.goal_with_road("power")


def test_goals_that_were_put_away(client, vendor, recorded):
    """They are read from their own list; one that will be put away next week is not yet."""
    body = recorded("goal").json()
    vendor.answers(httpx.Response(200, json=[{**body, "archivedate": 1000}, body]))
    archived, other = client.archived_goals()
    assert vendor.targets[0].startswith("GET /api/v1/users/me/goals/archived.json?emaciated=true")
    assert [archived.is_archived(now) for now in (999.9, 1000.0, 2000.0)] == [False, True, True]
    assert not other.is_archived(2000.0)


@pytest.mark.parametrize("queued", [True, False])
def test_refreshing_a_graph(client, vendor, queued):
    """What comes back is whether the goal was queued, and nothing is taken for a yes."""
    vendor.answers(httpx.Response(200, json=queued))
    assert client.refresh_graph("power") is queued
    assert vendor.targets[0].startswith("GET /api/v1/users/me/goals/power/refresh_graph.json")
    vendor.answers(httpx.Response(200, text="null"))
    with pytest.raises(errors.UnexpectedResponse):
        client.refresh_graph("power")


@pytest.mark.parametrize(
    ("change", "sent"),
    [
        ({"aggday": "max"}, {"aggday": "max"}),
        ({"kyoom": False}, {"kyoom": "false"}),
        ({"aggday": "sum", "kyoom": True}, {"aggday": "sum", "kyoom": "true"}),
    ],
)
def test_changing_how_a_goal_counts(client, vendor, recorded, change, sent):
    """Only what is given is changed, nothing but aggday and kyoom can be, and a refusal is told."""
    vendor.answers(recorded("goal"))
    assert client.change_goal("power", **change).aggday == "sum"
    assert vendor.targets == ["PUT /api/v1/users/me/goals/power.json"]
    assert fields(vendor.last) == sent
    with pytest.raises(ValueError, match="aggday or a kyoom"):
        client.change_goal("power")
    vendor.answers(httpx.Response(422, json={"errors": {"aggday": ["needs a premium plan"]}}))
    with pytest.raises(errors.Rejected, match="premium plan"):
        client.change_goal("power", **change)


def test_data_source(client, vendor, recorded):
    """Setting the data source sends that one field; an empty name is sent, not left out."""
    vendor.answers(recorded("goal"))
    assert client.set_datasource("power", "").slug == "power"
    assert (vendor.last.method, fields(vendor.last)) == (
        "PUT",
        {"datasource": ""},
    )
