"""What people change at Beeminder while somebody else writes there: names, zones, plans, goals."""

import pytest


@pytest.fixture
def state(beeminder):
    return beeminder.state


def updated(api):
    return api("GET", "me")["updated_at"], api("GET", "me/goals")[0]["updated_at"]


def test_a_renamed_user_keeps_id_tokens_and_goals(api, client, beeminder, state):
    """Both tokens go on working, under the new name only."""
    oauth = beeminder.authorize("alice", "waggle")
    before = api("GET", "me")
    api("POST", "me/goals/energy/datapoints", value=1, requestid="r")
    state.rename_user("alice", "alicia")
    after = api("GET", "me")
    assert (after["username"], after["id"]) == ("alicia", before["id"])
    signed = {"authorization": f"Bearer {oauth}"}
    assert client.get("/api/v1/users/me.json", headers=signed).json()["username"] == "alicia"
    assert api("GET", "alicia/goals/energy")["slug"] == "energy"
    api("GET", "alice", 404)
    again = api("POST", "me/goals/energy/datapoints", value=2, requestid="r")
    assert again["status"] == "updated"
    assert state.write_counts("alicia", "energy") == {"r": {"created": 1, "updated": 1}}


def test_a_name_that_is_taken_is_not_given_away(state):
    """Neither a user nor a goal is lost by a rename."""
    state.add_user("bob")
    with pytest.raises(KeyError):
        state.rename_user("alice", "bob")
    state.add_goal("alice", "output")
    with pytest.raises(KeyError):
        state.rename_goal("alice", "energy", "output")
    assert set(state.users) == {"alice", "bob"}
    assert set(state.users["alice"].goals) == {"energy", "output"}


def test_a_change_of_zone_or_deadline_is_seen_on_user_and_goal(api, state, clock):
    """updated_at of both moves; points keep the day that they counted for."""
    made = api("POST", "me/goals/energy/datapoints", value=1, timestamp=1_700_002_000)
    assert made["daystamp"] == "20231114"
    before = updated(api)
    clock.now += 100
    state.change_user("alice", timezone="Asia/Kathmandu")
    assert updated(api) == (before[0] + 100, before[1] + 100)
    assert api("GET", "me")["timezone"] == "Asia/Kathmandu"
    clock.now += 100
    state.change_goal("alice", "energy", deadline=-3600)
    assert updated(api) == (before[0] + 200, before[1] + 200)
    assert api("GET", "me/goals/energy")["deadline"] == -3600
    (point,) = api("GET", "me/goals/energy/datapoints")
    assert point["daystamp"] == "20231114"
    later = api("POST", "me/goals/energy/datapoints", value=1, timestamp=1_700_002_000)
    assert later["daystamp"] == "20231115"


def test_unknown_fields_are_no_changes(state):
    """A misspelt setting in a test is an error."""
    with pytest.raises(TypeError, match="time_zone"):
        state.change_user("alice", time_zone="UTC")
    with pytest.raises(TypeError, match="dead_line"):
        state.change_goal("alice", "energy", dead_line=0)


def test_an_archived_goal_can_be_read_by_its_slug(api, state, clock):
    """Frozen and won, with its date, in the other list, and it takes no data until it is back."""
    state.change_goal("alice", "energy", archivedate=int(clock.now) + 60)
    assert [goal["slug"] for goal in api("GET", "me/goals")] == ["energy"]
    announced = api("GET", "me/goals/energy")
    assert (announced["archivedate"], announced["frozen"]) == (int(clock.now) + 60, False)
    clock.now += 60
    put_away = api("GET", "me/goals/energy")
    assert (put_away["frozen"], put_away["won"], put_away["lost"]) == (True, True, False)
    assert put_away["archivedate"] == int(clock.now)
    assert api("GET", "me/goals") == []
    assert [goal["slug"] for goal in api("GET", "me/goals/archived")] == ["energy"]
    assert "errors" in api("POST", "me/goals/energy/datapoints", 422, value=1)
    state.change_goal("alice", "energy", archivedate=None)
    assert api("POST", "me/goals/energy/datapoints", value=1)["status"] == "created"


def test_an_archived_goal_always_has_a_date(api, state):
    """Also where a test only says that it is archived."""
    state.add_goal("alice", "done", archived=True)
    assert api("GET", "me/goals/done")["archivedate"] is not None
    assert api("GET", "me/goals/energy")["archivedate"] is None


def test_how_a_goal_counts_can_be_changed_on_some_plans_only(api, state):
    """With premium the days are counted anew, without it 422 names the field."""
    for value in (2, 4):
        api("POST", "me/goals/energy/datapoints", value=value, daystamp="20231114")
    path = "me/goals/energy"
    changed = api("PUT", path, aggday="max", kyoom="false")
    assert (changed["aggday"], changed["kyoom"], changed["curval"]) == ("max", False, 4.0)
    state.premium = False
    for field in ({"aggday": "sum"}, {"kyoom": "true"}):
        refused = api("PUT", path, 422, **field)
        assert list(refused["errors"]) == list(field)
    kept = api("PUT", path, title="still possible")
    assert (kept["aggday"], kept["kyoom"]) == ("max", False)


def test_a_change_that_is_wrong_in_part_changes_nothing(api, state):
    """The rest of the request is not applied either."""
    for wrong in ({"aggday": "nonsense"}, {"datasource": "nobody"}, {"slug": "no good"}):
        api("PUT", "me/goals/energy", 422, **({"title": "x", "kyoom": "false"} | wrong))
    goal = state.goal("alice", "energy")
    assert (goal.title, goal.kyoom, goal.autodata) == (None, True, "waggle")


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        ("hustler", (1, 1, "sum", True, False)),
        ("biker", (1, 1, "last", False, True)),
        ("fatloser", (-1, -1, "min", False, False)),
        ("gainer", (1, 1, "max", False, False)),
        ("inboxer", (-1, -1, "min", False, False)),
        ("drinker", (-1, 1, "sum", True, False)),
    ],
)
def test_a_goal_type_is_short_for_how_it_counts(api, kind, shown):
    """As the table of the vendor's page has it."""
    new = {"slug": "new", "goal_type": kind, "gunits": "x", "rate": 1, "goalval": 9}
    made = api("POST", "me/goals", **new)
    assert tuple(made[name] for name in ("yaw", "dir", "aggday", "kyoom", "odom")) == shown


def test_datapoints_of_a_goal_come_oldest_first(api):
    """The other way round than those of the list of datapoints."""
    for day in ("20231112", "20231110", "20231111"):
        api("POST", "me/goals/energy/datapoints", value=1, daystamp=day)
    shown = api("GET", "me/goals/energy", datapoints="true")["datapoints"]
    assert [point["daystamp"] for point in shown] == ["20231110", "20231111", "20231112"]


@pytest.mark.parametrize("what", ["add", "edit", "delete"])
def test_what_a_person_does_by_hand_is_seen_on_user_and_goal(api, client, clock, what):
    """updated_at of both moves, so that whoever looks at it alone finds every edit."""
    where = {"username": "alice", "slug": "energy"}
    ours = api("POST", "me/goals/energy/datapoints", value=1, requestid="r")
    before = updated(api)
    clock.now += 100
    done = {"add": {"value": 3}, "edit": {"id": ours["id"], "value": 3}}
    asked = done.get(what, {"id": ours["id"], "delete": True})
    point = client.post("/_sim/points", json={**where, **asked}).json()
    assert updated(api) == (before[0] + 100, before[1] + 100)
    if what == "add":
        assert (point["origin"], point["requestid"]) == ("web", None)
    if what == "edit":
        assert (point["requestid"], point["updated_at"]) == ("r", int(clock.now))
