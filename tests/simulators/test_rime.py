"""The simulated RIME against the vendor's pages: doors, envelopes, pages, limits, harm."""

import httpx
import pytest

from simulators.rime import Rime
from simulators.server import LocalServer
from simulators.windows import Window

SIGNED = {"authorization": "Bearer key-1"}


@pytest.fixture
def rime(clock):
    made = Rime(clock=clock)
    made.state.add_key("key-1")
    made.state.add_person("alice@example.org", "pw-1", projects=frozenset({"shop"}))
    made.state.add_project("shop", "The shop")
    made.state.add_project("lab")
    made.state.add_connector("shop", "orders", "Orders")
    made.state.add_pipeline("shop", "nightly")
    return made


@pytest.fixture
def client(rime):
    with (
        LocalServer(rime.app) as server,
        httpx.Client(base_url=server.url, trust_env=False, headers=SIGNED) as made,
    ):
        yield made


def refused(answer, status, code):
    """The message and details of an error, which has its envelope and a request id."""
    assert answer.status_code == status
    assert answer.headers["x-request-id"].startswith("req_")
    error = answer.json()["error"]
    assert error["code"] == code
    return error["message"], error.get("details")


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer nope", "Basic key-1", "key-1", "Bearer key-1x"],
)
def test_nobody_comes_in_without_a_good_token(client, header):
    """401 for everything but the login; neither query nor body is a place for a token."""
    client.headers.pop("authorization")
    headers = {} if header is None else {"authorization": header}
    for path in ("projects", "projects/shop/connectors/orders/runs", "nowhere"):
        refused(client.get(path, headers=headers), 401, "unauthorized")
        refused(client.get(path, params={"access_token": "key-1"}), 401, "unauthorized")
        refused(client.post(path, json={"token": "key-1"}), 401, "unauthorized")


def test_login_and_refresh(client, rime, clock):
    """The documented body and answer; access ends after an hour, a rotated token at once."""
    login = {"email": "alice@example.org", "password": "pw-1"}
    first = client.post("auth/login", json=login).json()
    assert first.keys() == {"access_token", "refresh_token", "token_type", "expires_in"}
    assert (first["token_type"], first["expires_in"]) == ("Bearer", 3600)
    signed = {"authorization": f"Bearer {first['access_token']}"}
    clock.now += 3599
    assert client.get("projects", headers=signed).status_code == 200
    clock.now += 1
    refused(client.get("projects", headers=signed), 401, "unauthorized")
    sent = {"refresh_token": first["refresh_token"]}
    second = client.post("auth/refresh", json=sent).json()
    assert second["access_token"] != first["access_token"]
    refused(client.post("auth/refresh", json=sent), 401, "unauthorized")
    wrong = {"authorization": f"Bearer {second['refresh_token']}"}
    refused(client.get("projects", headers=wrong), 401, "unauthorized")
    rime.unknowns.set(rotates=False, tells_expiry=False)
    sent = {"refresh_token": second["refresh_token"]}
    for _ in range(2):
        assert client.post("auth/refresh", json=sent).json().keys() == {
            "access_token",
            "token_type",
        }
    rime.unknowns.set(refresh_path=None)
    refused(client.post("auth/refresh", json=sent), 404, "resource_not_found")
    assert rime.state.harm == []


def test_a_login_that_is_refused(client):
    """401 for a wrong one, 400 with details for one that lacks something."""
    wrong = {"email": "alice@example.org", "password": "pw-2"}
    refused(client.post("auth/login", json=wrong), 401, "unauthorized")
    _, details = refused(client.post("auth/login", json={"email": 7}), 400, "validation_error")
    assert [one["field"] for one in details] == ["email", "password"]
    refused(client.post("auth/login", content=b"{"), 400, "validation_error")


def test_whose_projects(client, rime):
    """A login sees what it may, 403 for others, 404 for what is not there."""
    assert [one["id"] for one in client.get("projects").json()["data"]] == ["shop", "lab"]
    session = rime.tokens.issue(rime.state.people["alice@example.org"], refresh=False)
    signed = {"authorization": f"Bearer {session['access_token']}"}
    assert [p["id"] for p in client.get("projects", headers=signed).json()["data"]] == ["shop"]
    assert client.get("projects/shop", headers=signed).json() == {"id": "shop", "name": "The shop"}
    refused(client.get("projects/lab", headers=signed), 403, "forbidden")
    for path in (
        *("projects/x", "projects/x/connectors", "projects/shop/connectors/x"),
        *("projects/shop/connectors/x/runs", "projects/shop/connectors/orders/runs/x"),
        *("projects/shop/connectors/orders/x", "connectors/orders/runs", "x", ""),
    ):
        refused(client.get(path), 404, "resource_not_found")


def test_pipelines_and_short_paths_are_switches(client, rime):
    """Their paths are not published: with the switch off there is nothing."""
    shown = client.get("projects/shop/pipelines").json()["data"]
    assert shown == [{"id": "nightly", "name": "nightly", "state": "active", "is_current": True}]
    rime.unknowns.set(pipelines=False, short_paths=True)
    refused(client.get("projects/shop/pipelines"), 404, "resource_not_found")
    assert client.get("connectors/orders/runs").json()["data"] == []
    assert client.get("connectors/orders").json()["name"] == "Orders"


def fill(rime, count):
    for number in range(count):
        rime.state.add_run("orders", id=f"r{number}", started_at=1e9 + number, finished_at=2e9)


def walked(client, **params):
    """Ids, how many on each page, and the last body."""
    ids, sizes, body = [], [], {"next_cursor": None, "has_more": True}
    while body.get("has_more"):
        cursor = {"cursor": body["next_cursor"]} if body["next_cursor"] else {}
        answer = client.get("projects/shop/connectors/orders/runs", params={**params, **cursor})
        body = answer.json()
        ids += [run["id"] for run in body["data"]]
        sizes.append(len(body["data"]))
    return ids, sizes, body


def test_pages(client, rime):
    """50 by default, 100 at the most, each run once, the newest first."""
    fill(rime, 120)
    ids = [f"r{number}" for number in range(119, -1, -1)]
    seen, sizes, last = walked(client)
    assert (seen, sizes) == (ids, [50, 50, 20])
    assert (last["next_cursor"], last["has_more"]) == (None, False)
    assert walked(client, limit=100)[1] == [100, 20]
    rime.unknowns.set(order="oldest")
    assert walked(client, limit=7)[0] == ids[::-1]
    rime.unknowns.set(order="shuffled")
    shuffled = walked(client, limit=7)[0]
    assert sorted(shuffled) == sorted(ids)
    assert shuffled not in (ids, ids[::-1])


@pytest.mark.parametrize("limit", ["0", "101", "-1", "x", "", "1.5"])
def test_a_limit_that_is_refused(client, limit):
    """400 with details; an unknown cursor is 422."""
    path = "projects/shop/connectors"
    _, details = refused(client.get(path, params={"limit": limit}), 400, "validation_error")
    assert details == [{"field": "limit", "message": "must be between 1 and 100"}]
    refused(client.get(path, params={"cursor": "x"}), 422, "unprocessable_entity")


@pytest.mark.parametrize(
    ("end_cursor", "has_more", "expected"),
    [
        ("null", "right", {"next_cursor": None, "has_more": False}),
        ("absent", "right", {"has_more": False}),
        ("empty", "absent", {"next_cursor": ""}),
        ("null", "always", {"next_cursor": None, "has_more": True}),
        ("absent", "absent", {}),
    ],
)
def test_how_a_list_ends_is_a_switch(client, rime, end_cursor, has_more, expected):
    """On the last page stands what the switches say."""
    rime.unknowns.set(end_cursor=end_cursor, has_more=has_more)
    body = client.get("projects").json()
    body.pop("data")
    assert body == expected


def test_a_cursor_that_repeats(client, rime):
    """The last page names the cursor that it was asked with."""
    fill(rime, 3)
    rime.unknowns.set(end_cursor="repeated")
    path = "projects/shop/connectors/orders/runs"
    cursor = client.get(path, params={"limit": 2}).json()["next_cursor"]
    last = client.get(path, params={"limit": 2, "cursor": cursor}).json()
    assert (last["next_cursor"], len(last["data"])) == (cursor, 1)


def test_harm_is_written_down(client, rime):
    """Whatever would change something: it works as it would, and is remembered."""
    sync = "projects/shop/connectors/orders/sync"
    assert client.post(sync).status_code == 202
    refused(client.post(sync), 409, "conflict")
    assert client.delete("projects/shop/connectors/orders").status_code == 204
    assert client.patch("projects/shop", json={}).status_code == 202
    assert rime.state.harm == [
        ("POST", sync),
        ("POST", sync),
        ("DELETE", "projects/shop/connectors/orders"),
        ("PATCH", "projects/shop"),
    ]


def test_limits_by_tenant_and_endpoint(client, rime):
    """429 with the envelope, a request id and Retry-After in seconds; other endpoints go on."""
    rime.limiter.set(Window(kind="fixed", requests=2, seconds=30.0))
    for _ in range(2):
        assert client.get("projects").status_code == 200
    answer = client.get("projects")
    refused(answer, 429, "rate_limited")
    assert answer.headers["retry-after"] == "30"
    assert client.get("projects/shop").status_code == 200
    other = {"host": "other.localhost"}
    assert client.get("projects", headers=other).status_code == 200
