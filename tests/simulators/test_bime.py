"""The simulated Bime against what the vendor's pages say, and what they leave open."""

import httpx
import pytest

from simulators import main
from simulators.bime import Bime
from simulators.bime_state import RESOURCES
from simulators.server import LocalServer

TOKEN = "token-1"
SIGNED = {"authorization": f"Bearer {TOKEN}"}
LISTED = {
    "dashboards": {"id", "name", "publication_guid", "is_published", "created_at", "updated_at"},
    "connections": {
        "id",
        "name",
        "technical_type",
        "creator_full_name",
        "created_at",
        "updated_at",
    },
    "named_users": {
        "id",
        "full_name",
        "external_id",
        "named_user_group_id",
        "access_token",
        "created_at",
        "updated_at",
    },
    "named_user_groups": {"id", "name", "created_at", "updated_at"},
    "data_security_rules": {
        "id",
        "datafield",
        "authorized_values",
        "connection_id",
        "created_at",
        "updated_at",
    },
    "named_user_group_securities": {
        "id",
        "named_user_group_id",
        "data_security_rule_id",
        "created_at",
        "updated_at",
    },
    "dashboard_subscriptions": {
        "id",
        "dashboard_id",
        "named_user_group_id",
        "created_at",
        "updated_at",
    },
}
MORE = {
    "dashboards": {"password_protected", "group_security", "connections", "named_user_groups"},
    "connections": {"schema", "data_security_rules"},
    "named_users": set(),
    "named_user_groups": {"data_security_rules", "dashboards"},
    "data_security_rules": {"connection", "name_user_groups"},
    "named_user_group_securities": set(),
    "dashboard_subscriptions": set(),
}


@pytest.fixture
def bime(clock):
    made = Bime(clock=clock)
    made.state.add_account("acme", token=TOKEN)
    return made


@pytest.fixture
def client(bime):
    with (
        LocalServer(bime.app) as server,
        httpx.Client(base_url=server.url, headers=SIGNED, trust_env=False) as made,
    ):
        yield made


@pytest.mark.parametrize("resource", RESOURCES)
def test_records_have_the_fields_of_the_page(bime, client, resource):
    """A list shows less than a single record does."""
    number = bime.state.add(resource)
    (listed,) = client.get(f"/v2/{resource}").json()
    single = client.get(f"/v2/{resource}/{number}").json()
    assert set(listed) == LISTED[resource]
    assert set(single) == LISTED[resource] | MORE[resource]
    assert listed["created_at"] == "2023-11-14T17:13:20-05:00"


def test_what_is_linked_shows_in_single_records(bime, client):
    """Groups of a dashboard, dashboards of a group, rules of a connection as text."""
    add = bime.state.add
    board, group = add("dashboards", name="Sales"), add("named_user_groups", name="Board")
    data = add("connections")
    rule = add("data_security_rules", connection_id=str(data), authorized_values=["FR", "DE"])
    add("dashboard_subscriptions", dashboard_id=board, named_user_group_id=group)
    add("named_user_group_securities", named_user_group_id=group, data_security_rule_id=rule)

    shown = client.get(f"/v2/dashboards/{board}").json()
    assert shown["named_user_groups"] == [{"id": group, "name": "Board"}]
    shown = client.get(f"/v2/named_user_groups/{group}").json()
    assert (shown["dashboards"][0]["name"], shown["data_security_rules"]) == (
        "Sales",
        [{"id": rule}],
    )
    shown = client.get(f"/v2/connections/{data}").json()
    assert shown["data_security_rules"][0]["authorized_values"] == "FR, DE"
    shown = client.get(f"/v2/data_security_rules/{rule}").json()
    assert shown["connection"]["id"] == data


@pytest.mark.parametrize(
    ("version", "wrapped", "enveloped"),
    [("v2", None, False), ("v3", None, True), ("v2", True, True), ("v3", False, False)],
)
def test_the_envelope_is_a_switch(bime, client, version, wrapped, enveloped):
    """The page shows bare bodies, the samples take a result; errors follow."""
    bime.state.switch(wrapped=wrapped)
    body = client.get(f"/{version}/dashboards").json()
    gone = client.get(f"/{version}/dashboards/9")
    assert body == ({"result": [], "error": None} if enveloped else [])
    assert gone.json()["error"] == "record not found"
    assert ("result" in gone.json(), gone.status_code) == (enveloped, 404)
    bime.state.switch(missing=500)
    assert client.get(f"/{version}/dashboards/9").status_code == 500


def test_ids_and_logins_follow_their_switches(bime, client):
    """Ids as text on demand; a named user of v3 has a login."""
    bime.state.add("named_users")
    bime.state.switch(ids="text")
    assert client.get("/v2/named_users").json()[0]["id"] == "1"
    assert "login" not in client.get("/v2/named_users").json()[0]
    assert client.get("/v3/named_users").json()["result"][0]["login"]


@pytest.mark.parametrize("weak", [False, True])
@pytest.mark.parametrize("kind", ["etag", "last-modified", "both", "none"])
def test_validators_are_a_switch(bime, client, clock, kind, weak):
    """What was sent is answered with an empty 304 until the list changes, by a deletion too."""
    bime.state.switch(validators=kind, weak=weak)
    number = bime.state.add("dashboards")
    first = client.get("/v2/dashboards")
    names = {"etag": "if-none-match", "last-modified": "if-modified-since"}
    asked = {names[name]: first.headers[name] for name in names if name in first.headers}
    assert len(asked) == {"both": 2, "none": 0}.get(kind, 1)
    assert first.headers.get("etag", "W/").startswith("W/") == (weak or "etag" not in first.headers)

    again = client.get("/v2/dashboards", headers=asked)
    assert (again.status_code, again.content != b"") == ((200, True) if not asked else (304, False))
    clock.now += 5
    bime.state.remove("dashboards", number)
    assert client.get("/v2/dashboards", headers=asked).json() == []


def test_validators_of_one_list_may_differ(bime, client):
    """Most answers carry one, and not all."""
    bime.state.switch(of_list={"connections": "none"})
    assert "etag" not in client.get("/v2/connections").headers
    assert "etag" in client.get("/v2/dashboards").headers
    for bad in ({"of_list": {"pets": "none"}}, {"validators": "hash"}, {"ids": "roman"}):
        with pytest.raises(ValueError, match=r"none of|names no"):
            bime.state.switch(**bad)


def test_a_token_picks_the_account(bime, client):
    """The host is shared; without a good token there is nothing, in the URL it is good too."""
    bime.state.add_account("other", token="token-2")
    bime.state.add("dashboards", account="other")
    assert client.get("/v2/dashboards").json() == []
    other = {"authorization": "Bearer token-2"}
    assert len(client.get("/v2/dashboards", headers=other).json()) == 1
    assert client.get("/v2/dashboards", headers={"authorization": "Bearer x"}).status_code == 401
    del client.headers["authorization"]
    assert client.get("/v2/dashboards").status_code == 401
    assert client.get("/v2/dashboards", params={"access_token": TOKEN}).status_code == 200


@pytest.mark.parametrize("kind", ["fixed", "sliding", "gcra"])
def test_500_requests_in_ten_seconds(clock, kind):
    """By address and account, two tokens of one account together; then 429 with Retry-After."""
    bime = Bime(clock=clock, window=kind)
    for name, token in (("acme", TOKEN), ("acme", "token-1b"), ("other", "token-2")):
        bime.state.add_account(name, token=token)
    with LocalServer(bime.app) as server, httpx.Client(base_url=server.url) as client:

        def ask(token):
            return client.get("/v2/dashboards", headers={"authorization": f"Bearer {token}"})

        assert {ask(token).status_code for token in (TOKEN, "token-1b") * 250} == {200}
        refused = ask(TOKEN)
        assert (refused.status_code, ask("token-2").status_code) == (429, 200)
        assert 1 <= int(refused.headers["retry-after"]) <= 10
        clock.now += 10
        assert ask(TOKEN).status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_only_the_reading_half_is_here(bime, client, method):
    """Nothing is written through the API, and no other list is known."""
    assert client.request(method, "/v2/named_users").status_code == 405
    assert client.get("/v2/pets").status_code == 404


def test_records_can_be_made_over_http(bime, client):
    """Added, changed, removed, switched, by the names of Python; nonsense is refused."""
    control = client.post("/_sim/accounts", json={"name": "acme", "token": "t"})
    assert control.status_code == 200
    number = client.post("/_sim/records", json={"resource": "dashboards", "name": "A"}).json()["id"]
    changed = {"resource": "dashboards", "id": number, "is_published": True, "at": 0}
    client.post("/_sim/changes", json=changed)
    (shown,) = client.get("/v2/dashboards").json()
    assert (shown["name"], shown["is_published"]) == ("A", True)
    assert shown["updated_at"] == "1969-12-31T19:00:00-05:00"
    removed = {"resource": "dashboards", "id": number}
    assert client.post("/_sim/removals", json=removed).status_code == 200
    assert client.post("/_sim/removals", json=removed).status_code == 422
    assert client.post("/_sim/switches", json={"wrapped": True}).status_code == 200
    assert client.get("/v2/dashboards").json() == {"result": [], "error": None}
    assert client.post("/_sim/switches", json={"weather": "fine"}).status_code == 422
    assert client.post("/_sim/nothing", json={}).status_code == 404


def test_it_is_mounted_with_a_small_account(clock):
    """`waggle simulate` has dashboards of the last days under its prefix."""
    simulators = main.build(clock=clock)
    with LocalServer(simulators.app) as server:
        answer = httpx.get(
            f"{server.url}{main.BIME_PREFIX}/v2/dashboards",
            headers={"authorization": f"Bearer {main.bime_demo.TOKEN}"},
            trust_env=False,
        )
        assert len(answer.json()) == 5
        nowhere = httpx.get(f"{server.url}{main.BIME_PREFIX}/oauth/authorize", trust_env=False)
        assert nowhere.json() == {"error": "invalid_client"}
