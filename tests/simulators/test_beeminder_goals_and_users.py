"""Users, goals and the endpoints that cost money, as the page of the simulated Beeminder tells."""

import pytest


def test_a_user_shows_slugs_and_goals_only_on_request(api):
    """Slugs by default, goals with associations, no deleted_goals without diff_since."""
    plain = api("GET", "me")
    assert (plain["username"], plain["timezone"], plain["id"]) == (
        "alice",
        "Europe/Paris",
        "a" * 24,
    )
    assert plain["goals"] == ["energy"]
    assert "deleted_goals" not in plain
    whole = api("GET", "alice", associations="true")
    assert [goal["slug"] for goal in whole["goals"]] == ["energy"]
    assert whole["goals"][0]["datapoints"] == []


def test_diff_since_gives_only_what_changed_and_what_was_deleted(api, beeminder, clock):
    """Older goals and points stay out; a deleted goal is named by id."""
    beeminder.state.add_goal("alice", "old")
    gone = beeminder.state.add_goal("alice", "gone")
    since = clock.now
    clock.now += 10
    api("POST", "me/goals/energy/datapoints", value=1)
    beeminder.state.delete_goal("alice", "gone")
    user = api("GET", "me", diff_since=since)
    assert [goal["slug"] for goal in user["goals"]] == ["energy"]
    assert len(user["goals"][0]["datapoints"]) == 1
    assert user["deleted_goals"] == [{"id": gone.id}]
    skinny = api("GET", "me", diff_since=since, skinny="true")["goals"][0]
    assert "last_datapoint" in skinny
    assert "datapoints" not in skinny
    assert "aggday" not in skinny


def test_any_change_bumps_updated_at_of_goal_and_user(api, clock):
    """A write moves both; a read moves neither."""
    before = (api("GET", "me")["updated_at"], api("GET", "me/goals/energy")["updated_at"])
    clock.now += 5
    assert api("GET", "me")["updated_at"] == before[0]
    api("POST", "me/goals/energy/datapoints", value=1)
    after = (api("GET", "me")["updated_at"], api("GET", "me/goals/energy")["updated_at"])
    assert after == (before[0] + 5, before[1] + 5)


def test_a_goal_is_queued_after_a_write_and_not_for_ever(api, clock):
    """Clients poll this flag."""
    assert api("GET", "me/goals/energy")["queued"] is False
    api("POST", "me/goals/energy/datapoints", value=1)
    assert api("GET", "me/goals/energy")["queued"] is True
    clock.now += 2
    assert api("GET", "me/goals/energy")["queued"] is False


def test_emaciated_drops_the_roads_and_datapoints_come_on_request(api):
    """Three fields less, one more."""
    whole, thin = api("GET", "me/goals/energy"), api("GET", "me/goals/energy", emaciated="true")
    assert set(whole) - set(thin) == {"road", "roadall", "fullroad"}
    assert "datapoints" in api("GET", "me/goals/energy", datapoints="true")


@pytest.mark.parametrize(
    ("kyoom", "aggday", "curval"),
    [(True, "sum", 7.0), (False, "last", 4.0), (True, "max", 5.0), (False, "mean", 3.0)],
)
def test_the_current_value_follows_aggday_and_kyoom(api, beeminder, kyoom, aggday, curval):
    """Per-day aggregate first, then summed up or the last one."""
    goal = beeminder.state.goal("alice", "energy")
    goal.kyoom, goal.aggday = kyoom, aggday
    for day, value in (("20231112", 1), ("20231113", 2), ("20231113", 4)):
        api("POST", "me/goals/energy/datapoints", value=value, daystamp=day)
    assert api("GET", "me/goals/energy")["curval"] == curval


def test_archived_goals_have_their_own_list(api, beeminder):
    """They show frozen and won, and leave the ordinary list."""
    beeminder.state.add_goal("alice", "done", archived=True)
    assert [goal["slug"] for goal in api("GET", "me/goals")] == ["energy"]
    (done,) = api("GET", "me/goals/archived")
    assert (done["slug"], done["frozen"], done["won"]) == ("done", True, True)


def test_lists_come_most_urgent_first(api, beeminder):
    """The goal that derails first is the first."""
    beeminder.state.add_goal("alice", "red", facts={"safebuf": 0})
    shown = api("GET", "me/goals")
    assert [goal["slug"] for goal in shown] == ["red", "energy"]
    assert (shown[0]["safebuf"], shown[0]["colorkey"]) == (0, "red")


def test_a_new_goal_has_its_initial_point_and_no_numbers_yet(api, beeminder):
    """Fresh goals have null safebuf and one initial datapoint, dated at the end of today."""
    made = api(
        "POST",
        "me/goals",
        slug="Reading",
        title="t",
        goal_type="hustler",
        gunits="pages",
        rate=1,
        goalval=100,
        datasource="waggle",
    )
    assert (made["slug"], made["autodata"], made["safebuf"]) == ("reading", "waggle", None)
    (initial,) = beeminder.state.datapoints("alice", "reading")
    assert (initial.is_initial, initial.origin, initial.creator) == (True, "nihilo", "")
    assert (initial.daystamp, initial.timestamp) == ("20231114", 1_700_002_799)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"gunits": ""}, "gunits"),
        ({"goal_type": ""}, "gtype"),
        ({"goaldate": 1_800_000_000}, "rfin"),
        ({"rate": ""}, "rfin"),
        ({"slug": "energy"}, "slug"),
        ({"slug": "a" * 21}, "slug"),
    ],
)
def test_a_goal_that_makes_no_sense_is_422_by_field(api, beeminder, change, key):
    """Exactly two of goaldate, goalval and rate, a unit, a type, a free short slug."""
    good = {"slug": "new", "goal_type": "hustler", "gunits": "x", "rate": 1, "goalval": 9}
    assert list(api("POST", "me/goals", 422, **good | change)["errors"]) == [key]
    assert list(beeminder.state.users["alice"].goals) == ["energy"]


def test_put_changes_the_datasource_and_empty_means_manual(api):
    """Registered apps and the built-in names are accepted, others are not."""
    path = "me/goals/energy"
    assert api("PUT", path, datasource="api")["autodata"] == "api"
    assert api("PUT", path, datasource="waggle")["autodata"] == "waggle"
    assert "datasource" in api("PUT", path, 422, datasource="nobody")["errors"]
    assert api("PUT", path, datasource="")["autodata"] is None


def test_a_renamed_goal_keeps_its_id_and_leaves_a_404_behind(api, beeminder):
    """Slugs change, ids do not."""
    before = api("GET", "me/goals/energy")["id"]
    assert api("PUT", "me/goals/energy", slug="power", title="New")["title"] == "New"
    assert api("GET", "me/goals/power")["id"] == before
    api("GET", "me/goals/energy", 404)
    beeminder.state.rename_goal("alice", "power", "watts")
    assert api("GET", "me/goals/watts")["id"] == before


def test_a_broken_road_is_refused_with_the_message_that_was_seen(api):
    """422 with an object under errors."""
    broken = api("PUT", "me/goals/energy", 422, roadall="[[")
    assert broken == {"errors": {"message": "Error parsing params (roadall)"}}


@pytest.mark.parametrize("path", ["bob", "me/goals/none", "me/nothing", "me/goals/energy/nothing"])
def test_unknown_things_are_404_with_the_singular_key(api, path):
    """The body is the recorded one."""
    assert api("GET", path, 404) == {"error": "The requested resource was not found."}


def test_the_suffix_is_optional_and_me_stands_for_the_user(client):
    """Both were seen in the wild."""
    for path in ("users/me", "users/alice", "users/me.json"):
        answer = client.get(f"/api/v1/{path}", params={"auth_token": "personal-1"})
        assert answer.json()["username"] == "alice"


def test_endpoints_that_cost_are_there_and_counted(api, client, beeminder):
    """A test of a client can prove that none was called."""
    assert not beeminder.state.cost_calls
    for name in ("shortcircuit", "stepdown", "cancel_stepdown", "uncleme", "ratchet", "dial_road"):
        api("POST", f"me/goals/energy/{name}")
    client.post("/api/v1/charges.json", data={"auth_token": "personal-1", "amount": 1})
    assert beeminder.state.cost_calls.total() == 7
    assert client.get("/_sim/costs").json()["charges"] == 1
