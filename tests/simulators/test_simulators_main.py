"""The demo world on one port, as `waggle simulate` serves it."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest

from simulators import demo_world, main, rime_demo
from simulators.beeminder_days import last_second_of
from simulators.server import LocalServer

ROOT = Path(__file__).parents[2]
START = 1_795_300_000.0


@pytest.fixture
def simulators(clock):
    clock.now = START
    return main.build(clock=clock, autofetch_url="http://127.0.0.1:1/autofetch")


@pytest.fixture
def client(simulators):
    with (
        LocalServer(simulators.app) as server,
        httpx.Client(base_url=server.url, trust_env=False) as made,
    ):
        yield made


def _bemserver(client, path, **params):
    login = {"email": demo_world.EMAIL, "password": demo_world.PASSWORD}
    token = client.post(f"{main.BEMSERVER_PREFIX}/auth/token", json=login).json()["access_token"]
    signed = {"authorization": f"Bearer {token}"}
    answer = client.get(f"{main.BEMSERVER_PREFIX}{path}", params=params, headers=signed)
    return answer.json()


def test_both_services_answer_on_one_port_with_one_log(client, simulators):
    """The person, the goals, the two series; redirects keep the prefix."""
    token = {"auth_token": demo_world.BEEMINDER_TOKEN}
    me = client.get("/api/v1/users/me.json", params=token).json()
    assert (me["username"], me["timezone"]) == ("alice", "Europe/Paris")
    assert set(me["goals"]) == {"energy", "output"}
    names = {item["name"] for item in _bemserver(client, "/timeseries/")}
    assert names == {demo_world.HOME_SERIES, demo_world.ROOF_SERIES}
    moved = client.get(f"{main.BEMSERVER_PREFIX}/timeseries")
    assert moved.headers["location"].endswith(f"{main.BEMSERVER_PREFIX}/timeseries/")
    assert simulators.faults.count(main.BEMSERVER_PREFIX) == 3


def test_the_plant_has_thirty_days_and_goes_on_growing(client, simulators, clock):
    """Hourly values that are the same in every world, and more of them later."""

    def days():
        shown = _bemserver(
            client,
            "/timeseries_data/",
            timeseries=1,
            data_state=2,
            start_time="2026-01-01T00:00Z",
            end_time="2027-06-01T00:00Z",
        )
        return list(shown["1"].values())

    first = days()
    assert len(first) == 30 * 24
    assert 4 < sum(first) / 30 < 20
    clock.now += 7200
    assert days()[: len(first)] == first
    assert len(days()) == len(first) + 2
    other = main.build(clock=lambda: START).bemserver
    assert list(other.state.samples(1, 2).values.values()) == first


def test_controls_of_bemserver_work_without_the_prefix_too(client):
    """`POST /_sim/data` changes a value of the plant."""
    noon = last_second_of("20261101", zone="UTC", deadline=0) + 1
    sent = {"series": 1, "values": [[noon, 99.5]]}
    assert client.post("/_sim/data", json=sent).status_code == 200
    shown = _bemserver(
        client,
        "/timeseries_data/",
        timeseries=1,
        data_state=1,
        start_time="2026-11-02T00:00Z",
        end_time="2026-11-02T00:00:01Z",
    )
    assert list(shown["1"].values()) == [99.5]


def test_rime_answers_under_its_prefix_too(client, simulators):
    """With the key of the demo, in the same log, and its controls beside it."""
    signed = {"authorization": f"Bearer {rime_demo.API_KEY}"}
    path = f"{main.RIME_PREFIX}/projects/{rime_demo.PROJECT}/connectors/{rime_demo.CONNECTOR}/runs"
    answer = client.get(path, headers=signed, params={"limit": 100})
    assert len(answer.json()["data"]) == 100
    assert answer.headers["x-request-id"].startswith("req_")
    assert client.get(f"{main.RIME_PREFIX}/_sim/unknowns").json()["order"] == "newest"
    assert simulators.faults.count(main.RIME_PREFIX) == 1
    assert simulators.rime.state.harm == []


def test_run_serves_until_it_is_told_to_end():
    """From another thread it ends by the event and gives 0."""
    lines, ended, shown = [], threading.Event(), threading.Event()

    def echo(line):
        lines.append(line)
        if line.startswith("log in"):
            shown.set()

    result = []
    thread = threading.Thread(
        target=lambda: result.append(main.run("127.0.0.1", 0, echo=echo, ended=ended))
    )
    thread.start()
    assert shown.wait(20)
    url = lines[1].split()[1]
    assert httpx.get(f"{url}/about/", trust_env=False).status_code == 200
    assert lines[4].split()[:2] == ["RIME", url.replace("bemserver/api/v0", "rime/api/v1")]
    ended.set()
    thread.join(20)
    assert result == [0]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_process_ends_cleanly_on_a_signal(number):
    """Exit status 0, nothing on stderr."""
    code = "import sys; from simulators import main; sys.exit(main.run('127.0.0.1', 0))"
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    for line in process.stdout:
        if line.startswith("log in"):
            break
    process.send_signal(number)
    _, complaints = process.communicate(timeout=20)
    assert (process.returncode, complaints) == (0, "")
