"""The progress socket of the simulated RIME: who comes in, who does not, what is remembered."""

import json

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from simulators import main, rime_demo
from simulators.server import LocalServer
from tests.simulators.live_rime import SIGNED, all_of, connect, objects

AUTH = {"type": "auth", "token": "key-1"}


def refusal(tenant, **more):
    """The answer to an upgrade that is refused."""
    with pytest.raises(InvalidStatus) as caught, tenant.open(**more):
        pass
    return caught.value.response


def test_a_token_in_the_header(tenant):
    """Only there, as long as that is what the switch says."""
    with tenant.open() as socket:
        assert json.loads(socket.recv(timeout=5))["type"] == "run.snapshot"
        assert tenant.live.open == [tenant.last()]
    assert tenant.last().headers["authorization"] == "Bearer key-1"
    for wrong in (
        {"headers": {}},
        {"headers": {"Authorization": "Bearer nope"}},
        {"headers": {"Authorization": "key-1"}},
        {"headers": {}, "query": "?token=key-1"},
        {"headers": {}, "subprotocols": ["rime", "key-1"]},
    ):
        answer = refusal(tenant, **wrong)
        assert (answer.status_code, tenant.last().status) == (401, 401)
        assert json.loads(answer.body)["error"]["code"] == "unauthorized"


def test_a_token_in_the_query(tenant):
    """Under the name of the switch; the header does not count."""
    tenant.live.switches.set(auth="query", token_name="access_token")
    with tenant.open(headers={}, query="?access_token=key-1") as socket:
        socket.recv(timeout=5)
    assert tenant.last().query == "access_token=key-1"
    assert refusal(tenant, query="?token=key-1").status_code == 401


def test_a_token_among_the_subprotocols(tenant):
    """After the word that is agreed on, which is what is taken; a switch takes none."""
    tenant.live.switches.set(auth="subprotocol")
    with tenant.open(headers={}, subprotocols=["rime", "key-1"]) as socket:
        assert socket.subprotocol == "rime"
    assert tenant.last().subprotocols == ["rime", "key-1"]
    for offered in (["key-1"], ["rime"], ["key-1", "rime"], ["rime", "other", "key-1"], None):
        assert refusal(tenant, subprotocols=offered).status_code == 401
    tenant.live.switches.set(subprotocol="", echoes=False)
    with tenant.open(headers={}, subprotocols=["key-1"]) as socket:
        assert socket.subprotocol is None


def test_a_token_in_the_first_message(tenant):
    """Nothing is told before it; what came is remembered."""
    tenant.live.switches.set(auth="first_message", asks=True, greeting="auth_ok")
    with tenant.open(headers={}) as socket:
        assert json.loads(socket.recv(timeout=5)) == {"type": "auth_required"}
        socket.send(json.dumps(AUTH))
        assert json.loads(socket.recv(timeout=5)) == {"type": "auth_ok"}
        assert json.loads(socket.recv(timeout=5))["type"] == "run.snapshot"
    assert tenant.last().received == [json.dumps(AUTH)]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"type":"auth"}', '{"type":"auth","token":7}', '{"token":"key-1"}']
)
def test_a_first_message_that_shows_nothing(tenant, text):
    """It is closed with the code of the switch, and no word of the run is said."""
    tenant.live.switches.set(auth="first_message", denial_code=4403)
    with tenant.open(headers=SIGNED) as socket:
        socket.send(text)
        assert all_of(socket) == ([], 4403)


def test_nobody_waits_for_ever_for_the_first_message(tenant):
    """1008 after the seconds of the switch; the header does not count."""
    tenant.live.switches.set(auth="first_message", auth_seconds=0.02)
    with tenant.open() as socket:
        assert all_of(socket) == ([], 1008)


@pytest.mark.parametrize("auth", ["header", "first_message"])
@pytest.mark.parametrize(
    ("denial", "said"),
    [
        ("close", None),
        ("auth_invalid", {"kind": "auth_invalid", "message": "Missing, expired or invalid token"}),
        ("unauthorized", {"kind": "unauthorized", "message": "Missing, expired or invalid token"}),
        (
            "error",
            {"error": {"code": "unauthorized", "message": "Missing, expired or invalid token"}},
        ),
    ],
)
def test_a_wrong_token_that_is_turned_away_later(tenant, auth, denial, said):
    """After the upgrade: maybe with a message, then with a close."""
    tenant.live.switches.set(auth=auth, denial=denial, envelope="kind.message")
    with tenant.open(headers={}) as socket:
        if auth == "first_message":
            socket.send(json.dumps({**AUTH, "token": "nope"}))
        frames, code = all_of(socket)
    assert (objects(frames), code) == ([] if said is None else [said], 4401)
    assert tenant.last().ended_with == 4401


def test_a_status_as_frameworks_give_it(tenant):
    """403 for whatever is refused before the upgrade is done."""
    tenant.live.switches.set(denial_status=403)
    assert refusal(tenant, headers={}).status_code == 403


@pytest.mark.parametrize("status", [401, 403, 404, 426, 429, 500, 503])
def test_refused_upgrades(tenant, status):
    """As many as the switch says, with their headers; then it is as usual."""
    tenant.live.switches.set(
        upgrade=status, refusals=2, retry_after="7", location="http://x.invalid/"
    )
    for _ in range(2):
        answer = refusal(tenant)
        assert answer.status_code == status
        assert answer.headers["retry-after"] == "7"
        assert answer.headers["location"] == "http://x.invalid/"
    with tenant.open() as socket:
        socket.recv(timeout=5)
    assert [one.status for one in tenant.live.sockets] == [status, status, 101]


def test_runs_that_may_not_be_followed(tenant):
    """404 for what is not there, 403 for whose project it is not; closes where it is too late."""
    tenant.state.add_key("key-2", projects=frozenset({"lab"}))
    other = {"Authorization": "Bearer key-2"}
    assert refusal(tenant, run="nope").status_code == 404
    assert refusal(tenant, headers=other).status_code == 403
    tenant.live.switches.set(auth="first_message")
    for run, token, code in (("nope", "key-1", 4404), ("r1", "key-2", 4403)):
        with tenant.open(run=run, headers={}) as socket:
            socket.send(json.dumps({**AUTH, "token": token}))
            assert all_of(socket) == ([], code)


def test_what_cannot_be_switched(tenant):
    """Neither a switch that is not there nor a value; the good ones beside it stay as well."""
    with pytest.raises(ValueError, match="no switch 'color'"):
        tenant.live.switches.set(form="array", color=1)
    with pytest.raises(ValueError, match="'xml' is none of 'json'"):
        tenant.live.switches.set(envelope="none", form="xml")
    assert (tenant.live.switches.form, tenant.live.switches.envelope) == ("json", "type.data")


def test_it_is_controlled_from_outside_and_stands_beside_the_api():
    """Among all simulators, below `/rime`, through the faults around them."""
    simulators = main.build()
    run = simulators.rime.state.start_run(rime_demo.CONNECTOR)
    signed = {"Authorization": f"Bearer {rime_demo.API_KEY}"}
    with (
        LocalServer(simulators.app) as server,
        httpx.Client(base_url=f"{server.url}/rime/api/v1/_sim", trust_env=False) as client,
    ):
        assert client.post("live", json={"every": 0.005}).json()["every"] == 0.005
        assert client.post("live", json={"every": 1, "x": 1}).status_code == 422
        assert client.get("live").json()["auth"] == "header"
        url = f"{server.url}/rime/live/{run.id}".replace("http", "ws", 1)
        with connect(url, additional_headers=signed, compression=None, proxy=None) as socket:
            socket.recv(timeout=5)
            socket.send(b"\xff")
            socket.send("hello")
            assert client.get("sockets").json()["open"] == 1
            assert client.post("sockets", json={"code": 1012, "run": "x"}).json() == {"ended": 0}
            assert client.post("sockets", json={"code": 1012}).json() == {"ended": 1}
            assert all_of(socket) == ([], 1012)
        shown = client.get("sockets").json()["sockets"][0]
        assert (shown["received"], shown["ended_with"], shown["sent"]) == (
            ["\ufffd", "hello"],
            1012,
            1,
        )
        assert client.delete("sockets").json() == {}
        assert client.delete("live").status_code == 404
        assert client.get("sockets").json() == {"open": 0, "sockets": []}
