"""Runs of the simulated RIME: how they are spelt, how they live, and how they are controlled."""

import httpx
import pytest

from simulators.rime import Rime
from simulators.rime_state import Plan
from simulators.server import LocalServer

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


def test_a_run_in_every_spelling(client, rime, clock):
    """Names, times and words follow the switches; what is hidden is not there."""
    rime.state.add_run(
        "orders",
        id="r1",
        status="Partially failed",
        rows=5,
        started_at=clock.now,
        finished_at=clock.now + 1,
    )
    path = "projects/shop/connectors/orders/runs/r1"
    shown = client.get(path).json()
    assert (shown["id"], shown["status"], shown["total_rows"]) == ("r1", "partially_failed", 5)
    assert shown["started_at"] == "2023-11-14T22:13:20.000Z"
    rime.unknowns.set(names="camel", times="offset", statuses="upper")
    shown = client.get(path).json()
    assert (shown["runId"], shown["state"]) == ("r1", "PARTIALLY-FAILED")
    assert shown["finishedAt"] == "2023-11-15T11:13:21.000+13:00"
    rime.unknowns.set(names="short", times="naive")
    assert client.get(path).json()["end_time"] == "2023-11-15T11:13:21.000"
    rime.unknowns.set(names="nested", times="milliseconds")
    shown = client.get(path).json()
    assert shown["timing"] == [1_700_000_000_000, 1_700_000_001_000]
    assert shown["summary"]["total/rows"] == 5
    rime.unknowns.set(names="snake")
    rime.state.owner("orders").runs["r1"].hidden = frozenset({"rows"})
    assert "total_rows" not in client.get(path).json()


def test_switches_that_there_are_not(rime):
    """A misspelt switch or value is told."""
    for wrong in ({"name": "snake"}, {"names": "kebab"}, {"order": "none"}):
        with pytest.raises(ValueError, match=r"switch|none of"):
            rime.unknowns.set(**wrong)


def test_a_run_lives_by_the_clock(client, rime, clock):
    """It grows, step after step, and ends when its plan says so."""
    run = rime.state.start_run("nightly", plan=Plan(2.0, 60.0, "Succeeded"), steps=("a", "b"))
    path = f"projects/shop/pipelines/nightly/runs/{run.id}"

    def look(seconds):
        clock.now += seconds
        shown = client.get(path).json()
        steps = [(step["state"], step["rows"]) for step in shown["steps"]]
        return shown["status"], shown["total_rows"], steps, shown["completed_at"]

    assert look(0) == ("running", 0, [("running", 0), ("pending", 0)], None)
    assert look(10) == ("running", 20, [("running", 20), ("pending", 0)], None)
    assert look(25)[:3] == ("running", 70, [("succeeded", 60), ("running", 10)])
    status, rows, steps, ended = look(1000)
    assert (status, rows, steps) == ("succeeded", 120, [("succeeded", 60), ("succeeded", 60)])
    assert ended == "2023-11-14T22:14:20.000Z"


def test_a_run_by_hand(rime, clock):
    """Without a plan it runs until it is ended, and a retry counts from nothing."""
    run = rime.state.start_run("orders", steps=("a", "b"), rows=7)
    clock.now += 5
    rime.state.grow()
    assert (run.status, run.rows, run.is_over) == ("Running", 7, False)
    rime.state.finish_run(run, "Failed", rows=9)
    assert [step.state for step in run.steps] == ["Failed", "Skipped"]
    assert (run.rows, run.finished_at, run.is_over) == (9, clock.now, True)
    rime.state.retry_run(run)
    assert (run.attempt, run.rows, run.finished_at, run.status) == (2, 0, None, "Running")


def test_control_from_outside(client, rime, clock):
    """What Python can do, over HTTP."""

    def put(what, **asked):
        answer = client.post(f"_sim/{what}", json=asked)
        assert answer.status_code == 200, answer.text
        return answer.json()

    put("keys", key="key-2", projects=["p"])
    put("people", email="b@example.org", password="pw")
    put("projects", id="p")
    put("connectors", project="p", id="c")
    put("pipelines", project="p", id="l")
    put("runs", owner="c", id="r1", status="Failed", rows=3, hidden=["ended"])
    started = put("start", owner="l", plan={"seconds": 10}, steps=["a"])["id"]
    assert put("finish", owner="l", run=started, status="Failed")["status"] == "Failed"
    assert put("retry", owner="l", run=started)["attempt"] == 2
    assert put("unknowns", times="epoch")["times"] == "epoch"
    assert client.get("_sim/unknowns").json()["names"] == "snake"
    signed = {"authorization": "Bearer key-2"}
    (run,) = client.get("projects/p/connectors/c/runs", headers=signed).json()["data"]
    assert (run["id"], run["status"], "completed_at" in run) == ("r1", "failed", False)
    client.post("projects/p/connectors/c/sync", headers=signed)
    assert client.get("_sim/harm").json() == {"harm": [["POST", "projects/p/connectors/c/sync"]]}
    client.request("DELETE", "_sim/harm")
    assert client.get("_sim/harm").json() == {"harm": []}
    assert client.get("_sim/nothing").status_code == 404
    for what, asked in (
        ("unknowns", {"times": "x"}),
        ("runs", {"owner": "nobody"}),
        ("runs", {"owner": "c", "speed": 1}),
        ("connectors", {"project": "nowhere", "id": "x"}),
        ("keys", []),
    ):
        assert client.post(f"_sim/{what}", json=asked).status_code == 422
