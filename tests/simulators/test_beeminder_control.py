"""Everything that can be set up from Python can be set up over HTTP too."""


def test_users_goals_apps_and_tokens_are_made_over_http(client, beeminder):
    """A process without access to the state can build its world."""
    app = {"name": "other", "redirect_uri": "http://127.0.0.1:9/cb", "autofetch_url": "http://x/a"}
    assert client.post("/_sim/app", json=app).json()["client_id"] == "id-of-other"
    user = client.post("/_sim/users", json={"username": "bob", "timezone": "Asia/Tokyo"}).json()
    assert user["token"] == "personal-bob"
    goal = {"username": "bob", "slug": "run", "autodata": "other", "deadline": 3600}
    made = client.post("/_sim/goals", json=goal).json()
    assert (made["slug"], made["autodata"], made["deadline"]) == ("run", "other", 3600)
    token = client.post("/_sim/tokens", json={"username": "bob", "app": "other"}).json()
    signed = {"authorization": f"Bearer {token['access_token']}"}
    assert client.get("/api/v1/users/me.json", headers=signed).json()["username"] == "bob"
    assert {user["username"] for user in client.get("/_sim/users").json()} == {"alice", "bob"}


def test_a_goal_that_exists_is_changed_and_renamed(client, beeminder):
    """The same verb; an unknown field is refused."""
    where = {"username": "alice", "slug": "energy"}
    client.post("/_sim/goals", json={**where, "frozen": True, "facts": {"safebuf": 0}})
    goal = beeminder.state.goal("alice", "energy")
    assert (goal.frozen, goal.facts) == (True, {"safebuf": 0})
    assert client.post("/_sim/goals", json={**where, "colour": "red"}).status_code == 422
    client.post("/_sim/goals", json={**where, "new_slug": "watts"})
    assert beeminder.state.goal("alice", "watts") is goal


def test_a_user_that_exists_is_changed_and_renamed(client, beeminder):
    """The same verb; goals and tokens stay, an unknown field is refused."""
    alice = beeminder.state.users["alice"]
    moved = {"username": "alice", "timezone": "Asia/Tokyo", "new_username": "alicia"}
    assert client.post("/_sim/users", json=moved).json()["username"] == "alicia"
    assert beeminder.state.users["alicia"] is alice
    assert (alice.timezone, alice.token, list(alice.goals)) == (
        "Asia/Tokyo",
        "personal-1",
        ["energy"],
    )
    assert client.post("/_sim/users", json={"username": "alicia", "age": 7}).status_code == 422


def test_a_goal_is_made_red_by_drawing_its_line(client):
    """`safe_days` counts from now; the line stays where it was drawn."""
    where = {"username": "alice", "slug": "energy"}
    shown = client.post("/_sim/goals", json={**where, "dir": 1, "safe_days": 2}).json()
    assert (shown["safebuf"], shown["colorkey"]) == (2, "blue")
    assert client.post("/_sim/goals", json={**where, "safe_days": 0}).json()["colorkey"] == "red"
    assert client.post("/_sim/goals", json={**where, "safe_days": -1}).status_code == 422


def test_what_nobody_knows_can_be_chosen_from_outside(client, beeminder):
    """Every setting of the state, the shape of a failed batch among them."""
    chosen = {"premium": False, "batch_limit": 5, "batch_shape": {"resend": "silent"}}
    shown = client.post("/_sim/unknowns", json=chosen).json()
    assert (shown["premium"], shown["batch_limit"]) == (False, 5)
    assert beeminder.state.batch_shape.resend == "silent"
    assert beeminder.state.premium is False
    assert client.post("/_sim/unknowns", json={"colour": 1}).status_code == 422


def test_a_person_adds_edits_and_deletes_by_hand(client, beeminder):
    """Such points come from the web, and the history says that no app did it."""
    where = {"username": "alice", "slug": "energy"}
    point = client.post("/_sim/points", json={**where, "value": 5}).json()
    assert point["origin"] == "web"
    edited = client.post("/_sim/points", json={**where, "id": point["id"], "value": 6}).json()
    assert edited["value"] == 6.0
    client.post("/_sim/points", json={**where, "id": point["id"], "delete": True})
    assert not beeminder.state.datapoints("alice", "energy")
    assert [(change.kind, change.via) for change in beeminder.state.history] == [
        ("created", None),
        ("updated", None),
        ("deleted", None),
    ]


def test_datapoints_show_counts_per_requestid_and_when_each_landed(client, api, clock):
    """The history keeps every value that there ever was."""
    api("POST", "me/goals/energy/datapoints", value=1, requestid="r")
    clock.now += 30
    api("POST", "me/goals/energy/datapoints", value=2, requestid="r")
    shown = client.get("/_sim/datapoints?user=alice&goal=energy").json()
    assert [point["value"] for point in shown["datapoints"]] == [2.0]
    assert shown["writes"] == {"r": {"created": 1, "updated": 1}}
    assert [(change["value"], change["at"], change["via"]) for change in shown["history"]] == [
        (1.0, clock.now - 30, "personal"),
        (2.0, clock.now, "personal"),
    ]
    assert client.get("/_sim/datapoints?user=nobody&goal=energy").status_code == 404
