"""The client's calls against the simulated Beeminder, which knows nothing of the client."""

import pytest

from clients import errors
from clients.beeminder import BeeminderClient
from clients.beeminder_models import NewDatapoint, Token
from simulators.beeminder import Beeminder
from simulators.server import LocalServer

NOW = 1_700_000_000.0
POINT = NewDatapoint(value=3.5, requestid="wg-1", daystamp="20231110", comment="c")


@pytest.fixture
def beeminder():
    """Alice with a goal that the app waggle feeds, red today, and one that was put away."""
    made = Beeminder(clock=lambda: NOW)
    made.register_app("waggle")
    made.state.add_user("alice", timezone="Europe/Paris")
    made.state.add_goal("alice", "power", autodata="waggle", rate=2.0)
    made.state.add_goal("alice", "done", archived=True)
    made.lay_road("alice", "power")
    return made


@pytest.fixture
def goal(beeminder):
    return beeminder.state.goal("alice", "power")


@pytest.fixture
def client(beeminder, real_http):
    token = Token("oauth", beeminder.authorize("alice", "waggle"))
    with LocalServer(beeminder.app) as server:
        yield BeeminderClient(http=real_http, token=token, base_url=server.url)


def test_people_and_goals_are_read(client, beeminder):
    """Who it is, which goals are there, and which were put away."""
    assert (client.me().username, client.me().timezone) == ("alice", "Europe/Paris")
    assert [(goal.slug, goal.is_archived(NOW)) for goal in client.goals()] == [("power", False)]
    (done,) = client.archived_goals()
    assert (done.slug, done.frozen, done.is_archived(NOW)) == ("done", True, True)
    assert client.goal("done") == done
    beeminder.state.rename_user("alice", "alicia")
    assert client.me().username == "alicia"


def test_where_the_red_line_is_can_be_computed(client, goal):
    """The goal is red today, and the rows say by how much."""
    found = client.goal_with_road("power")
    (_, _, first), *_, (time, value, rate) = found.fullroad
    assert (first, rate, found.safebuf) == (0.0, 2.0, 0)
    assert time > NOW
    assert value is not None
    today = found.fullroad[2]
    assert today[1] is not None
    assert 0 < today[1] < 2
    assert found.id == goal.id


def test_a_refresh_is_asked_for(client, beeminder, goal):
    """The graph is queued, or Beeminder does not want to."""
    assert client.refresh_graph("power") is True
    assert goal.queued_until > NOW
    beeminder.state.refreshes = False
    assert client.refresh_graph("power") is False


def test_how_a_goal_counts_and_who_feeds_it_can_be_changed(client, beeminder, goal):
    """The answer tells what holds now; without the plan for it the goal stays as it was."""
    changed = client.change_goal("power", aggday="max", kyoom=False)
    assert (changed.aggday, changed.kyoom) == ("max", False)
    assert client.change_goal("power", kyoom=True).kyoom is True
    assert client.set_datasource("power", "").autodata is None
    assert client.set_datasource("power", "waggle").autodata == "waggle"
    beeminder.state.premium = False
    with pytest.raises(errors.Rejected, match="plan"):
        client.change_goal("power", aggday="sum")
    assert (goal.aggday, goal.kyoom, goal.autodata) == ("max", True, "waggle")


@pytest.mark.parametrize("resends", ["refused", "shown"])
@pytest.mark.parametrize(
    "compares", [("value",), ("value", "comment"), ("value", "comment", "timestamp")]
)
def test_a_point_is_written_once(client, beeminder, goal, resends, compares):
    """However a resend is compared and answered: one point, with the newest value, named alike."""
    beeminder.state.resends, beeminder.state.compares = resends, compares
    first = client.create("power", POINT)
    again = client.create("power", POINT)
    assert (first.status, first.request_id is None) == ("created", False)
    assert again.id in (first.id, None)
    assert again.request_id not in (first.request_id, None)
    newer = NewDatapoint(value=4.0, requestid="wg-1", daystamp="20231110")
    assert (client.create("power", newer).id, client.create("power", newer).id) in (
        (first.id, first.id),
        (first.id, None),
    )
    (there,) = goal.datapoints.values()
    assert (there.id, there.value, there.daystamp) == (first.id, 4.0, "20231110")


def test_a_point_is_changed_and_deleted_by_its_id(client, goal):
    """Taken over by its id it keeps its requestid; deleted twice is deleted."""
    found = client.create("power", POINT)
    assert found.id is not None
    changed = client.update("power", found.id, value=9.0, comment="d")
    assert (changed.id, changed.value, changed.requestid) == (found.id, 9.0, "wg-1")
    assert [point.id for point in client.datapoints("power", sort="daystamp", count=5)] == [
        found.id
    ]
    assert client.delete("power", found.id) is not None
    assert client.delete("power", found.id) is None
    assert not goal.datapoints


def test_a_duplicate_of_a_deleted_point_has_no_id(client, beeminder, goal):
    """Where requestids are used up for good, the answer does not claim to know a point."""
    beeminder.state.reuses_requestids = False
    found = client.create("power", POINT)
    assert found.id is not None
    client.delete("power", found.id)
    again = client.create("power", POINT)
    assert (again.status, again.id) == ("duplicate", None)
    assert client.create_all("power", [POINT]).written == {}
    assert not goal.datapoints


def test_a_goal_that_is_put_away_takes_no_data(client):
    """The refusal says why."""
    with pytest.raises(errors.Rejected, match="restarted"):
        client.create("done", POINT)
