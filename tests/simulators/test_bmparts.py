"""The simulated BM Parts against what the vendor's pages say of keys, limits and errors."""

import threading

import httpx
import pytest

from simulators import main
from simulators.bmparts import Bmparts
from simulators.faults import Fault
from simulators.server import LocalServer

KEY = "key-1"
NOON = 1_795_176_000.0  # 20 November 2026, 12:00 UTC
SIGNED = {"Authorization": KEY, "User-Agent": "test"}


@pytest.fixture
def bmparts(clock):
    clock.now = NOON
    made = Bmparts(clock=clock)
    made.state.add_key(KEY)
    return made


@pytest.fixture
def client(bmparts):
    with (
        LocalServer(bmparts.app) as server,
        httpx.Client(base_url=server.url, headers=SIGNED, trust_env=False) as made,
    ):
        yield made


def test_the_bare_key_is_the_key(client):
    """With a scheme before it, or without any, it is none."""
    assert client.get("/profile/me").json()["name"] == "Garage"
    for given in (f"Bearer {KEY}", "other", ""):
        answer = client.get("/profile/me", headers={"Authorization": given})
        assert (answer.status_code, set(answer.json())) == (401, {"message"})


def test_a_request_without_a_name(client):
    """403 with a page, whatever the key is."""
    for key in (KEY, "other"):
        answer = client.get("/profile/me", headers={"User-Agent": "", "Authorization": key})
        assert answer.status_code == 403
        assert "html" in answer.headers["content-type"]


def test_what_every_answer_says(client, clock):
    """Limits in three headers, good or bad, and the build."""
    for path in ("/profile/me", "/nothing"):
        headers = client.get(path).headers
        assert headers["x-ratelimit-limit"] == "10000"
        assert int(headers["x-ratelimit-remaining"]) in (9999, 9998)
        assert headers["x-ratelimit-reset"].isdigit()
        assert headers["x-bm-build-id"]


def test_over_the_limit(bmparts, client, clock):
    """403 with JSON and nothing left; the firm's other key has nothing left either."""
    bmparts.limit(2, 60.0)
    bmparts.state.add_key("key-2")
    bmparts.state.add_key("key-3", "Another firm")
    assert [client.get("/profile/me").status_code for _ in range(2)] == [200, 200]
    answer = client.get("/profile/me", headers={"Authorization": "key-2"})
    assert (answer.status_code, set(answer.json())) == (403, {"message", "documentation_url"})
    assert answer.headers["x-ratelimit-remaining"] == "0"
    other = client.get("/profile/me", headers={"Authorization": "key-3"})
    assert (other.status_code, other.json()["name"]) == (200, "Another firm")
    clock.now += 61
    assert client.get("/profile/me").status_code == 200


@pytest.mark.parametrize("kind", ["fixed", "sliding", "gcra"])
def test_the_kind_of_window_is_a_switch(bmparts, client, kind):
    """Over HTTP and from Python."""
    bmparts.limit(1, 60.0, kind=kind)
    assert [client.get("/profile/me").status_code for _ in range(2)] == [200, 403]
    asked = {"kind": kind, "requests": 3, "seconds": 60, "status": 403, "headers": "x-ratelimit"}
    assert client.post("/_sim/limits", json=asked).status_code == 200
    assert [client.get("/profile/me").status_code for _ in range(4)] == [200, 200, 200, 403]


def test_whoever_has_no_key_has_fewer_requests(client):
    """120 an hour, and they are not the firm's."""
    answer = client.get("/profile/me", headers={"Authorization": "x"})
    assert answer.headers["x-ratelimit-limit"] == "120"
    assert client.get("/profile/me").headers["x-ratelimit-remaining"] == "9999"


@pytest.mark.parametrize(("hides", "status"), [(False, 403), (True, 404)])
def test_what_a_key_may_not_read(bmparts, client, hides, status):
    """403, or 404 where the call hides itself."""
    bmparts.state.switches.change({"forbidden": ["reports/terms"], "hides": hides})
    answer = client.get("/reports/terms")
    assert (answer.status_code, set(answer.json())) == (status, {"message"})
    assert client.get("/shopping/carts").status_code == 200


@pytest.mark.parametrize(
    "query",
    [
        {"period": "fortnight"},
        {"period": "{2026-11-20}"},
        {"period": "{x,y}"},
        {"page": "0"},
        {"per_page": "many"},
        {"direction": "up"},
        {"type": "FFFFFFFF"},
    ],
)
def test_bad_arguments(client, query):
    """422 with a message."""
    answer = client.get("/documents/list", params=query)
    assert (answer.status_code, set(answer.json())) == (422, {"message"})


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/company/callback"),
        ("GET", "//company//callback/"),
        ("GET", "/Company/CallBack"),
        ("GET", "/profile/../company/callback"),
        ("GET", "/company%2Fcallback"),
        ("POST", "/processing/sync"),
        ("POST", "/processing/reserve/process"),
        ("POST", "/shopping/reserve/process"),
        ("POST", "/shopping/cart"),
        ("PUT", "/shopping/cart/7"),
        ("DELETE", "/shopping/cart/7"),
        ("DELETE", "/shopping/reserves"),
        ("POST", "/returns/request"),
        ("POST", "/returns/notify"),
        ("POST", "/claims/issue/7/comments"),
        ("POST", "/profile/masq"),
        ("POST", "/profile/change_warehouse"),
        ("GET", "/search/products"),
    ],
)
def test_harm_is_done(bmparts, client, method, path):
    """Such a call does it, and it is seen: a client that must not can be caught."""
    request = httpx.Request(
        method, client.base_url.copy_with(raw_path=path.encode()), headers=SIGNED
    )
    assert client.send(request).status_code == 201
    assert len(bmparts.state.harm) == 1
    assert client.get("/_sim/harm").json() == {"harm": bmparts.state.harm}


def test_reading_does_no_harm(bmparts, client):
    """The calls that read are no harm, by GET."""
    paths = ("profile/me", "shopping/carts", "shopping/reserves", "documents/list")
    assert {client.get(f"/{path}").status_code for path in paths} == {200}
    assert client.post("/documents/list").status_code == 404
    assert bmparts.state.harm == []


def test_controls(bmparts, client):
    """A firm is filled and switches are set over HTTP; what is wrong with a call is told."""
    firm = {
        "key": "key-9",
        "counterparty": "Nine",
        "documents": [NOON],
        "kind": "00003A4E",
        "searches": [NOON],
        "reserves": 2,
        "carts": 3,
        "sales": [[NOON, "BOSCH", 2.5]],
        "debts": {"2026-11-20": 7.5},
    }
    assert client.post("/_sim/firms", json=firm).status_code == 200
    nine = {"Authorization": "key-9"}
    assert client.get("/shopping/carts/count", headers=nine).json() == {"count": 3}
    assert len(client.get("/documents/list", headers=nine).json()["documents"]) == 1
    assert client.get("/reports/terms", headers=nine).json()["terms"][0]["debt"] == "7,5"
    shown = client.post("/_sim/switches", json={"carts_count": "number"}).json()
    assert shown["switches"]["carts_count"] == "number"
    assert client.get("/shopping/carts/count", headers=nine).json() == 3
    for path, body in (
        ("/_sim/switches", {"colour": 1}),
        ("/_sim/firms", {"key": "k", "boats": 1}),
        ("/_sim/firms", {}),
    ):
        assert client.post(path, json=body).status_code == 422
    assert client.post("/_sim/nothing").status_code == 404
    assert client.get("/_sim/switches").status_code == 200


def test_faults_are_around_it(bmparts, client):
    """Any answer can be broken, and every request is written down."""
    bmparts.faults.add(Fault(path="profile", status=500))
    assert [client.get("/profile/me").status_code for _ in range(2)] == [500, 200]
    assert bmparts.faults.count("profile/me") == 2


def test_its_place_among_all_simulators(clock):
    """Below its prefix, with limits and controls of its own."""
    simulators = main.build(clock=clock)
    simulators.bmparts.state.add_key(KEY)
    under = main.BMPARTS_PREFIX
    with (
        LocalServer(simulators.app) as server,
        httpx.Client(base_url=server.url, headers=SIGNED, trust_env=False) as client,
    ):
        assert client.get(f"{under}/profile/me").json()["name"] == "Garage"
        limit = {"kind": "fixed", "requests": 1, "seconds": 60, "status": 403}
        assert client.post(f"{under}/_sim/limits", json=limit).status_code == 200
        assert [client.get(f"{under}/profile/me").status_code for _ in range(2)] == [200, 403]
        assert client.get(f"{under}/_sim/switches").status_code == 200
        assert client.get("/_sim/limits").json()["limit"] is None


def test_it_is_named_where_simulators_are_served():
    """Whoever starts them is told where it is."""
    lines, ended = [], threading.Event()
    ended.set()
    assert main.run("127.0.0.1", 0, echo=lines.append, ended=ended) == 0
    (line,) = [line for line in lines if line.startswith("BM Parts")]
    assert line.endswith(f"{main.BMPARTS_PREFIX} (key {main.bmparts_demo.KEY})")


def test_the_demo_world_has_a_small_firm(clock):
    """`waggle simulate` has documents of two kinds, searches and what is open; `world` decides."""
    clock.now = NOON
    assert main.build(clock=clock, world=False).bmparts.state.keys == {}
    simulators = main.build(clock=clock)
    signed = SIGNED | {"Authorization": main.bmparts_demo.KEY}
    with (
        LocalServer(simulators.app) as server,
        httpx.Client(
            base_url=f"{server.url}{main.BMPARTS_PREFIX}", headers=signed, trust_env=False
        ) as client,
    ):

        def rows(path, **params):
            (found,) = client.get(path, params=params).json().values()
            return len(found)

        kinds = client.get("/documents/filters/types").json()["types"]
        each = [rows("/documents/list", period="month", type=kind["code"]) for kind in kinds]
        assert each == [7, 3]
        assert rows("/documents/list", period="month") == 10
        assert rows("/documents/list", period="today") == 1
        assert rows("/profile/history") == 5
        assert rows("/shopping/reserves") == 3
        assert client.get("/shopping/carts/count").json() == {"count": 2}
        assert client.get("/reports/terms").json()["terms"][0]["debt"] == "1280,75"
