"""Processes that follow runs: killed in the middle, and each run ends right all the same."""

import os
import signal

import pytest

from simulators.main import RIME_HOST, RIME_PREFIX
from tests.blackbox.house import House

pytestmark = [pytest.mark.blackbox, pytest.mark.timeout(180)]

RUNS = 200
KEY = "canary-rime-key"


def declared(house: House) -> str:
    """The file: alice's goal counts the rows of one connector."""
    socket = house.server.url.replace("http://", "ws://")
    file = house.folder / "waggle.toml"
    file.write_text(
        f"""
        [users.alice]
        token = {{ env = "ALICE_TOKEN" }}
        [sources.etl]
        provider = "rime"
        user = "alice"
        url = "{house.server.url}{RIME_PREFIX}"
        project = "shop"
        api_key = "{KEY}"
        progress_url = "{socket}{RIME_HOST}/live/{{run}}"
        progress_poll = "2s"
        [feeds."alice/output"]
        source = "etl"
        metric = "rows_extracted"
        params = {{ connector = "orders" }}
        every = "1d"
        """
    )
    return str(file)


def test_a_killed_process_loses_no_run(home: House) -> None:
    """Two hundred are followed by two; one is killed; all end, and the goal has each once."""
    state = home.sims.rime.state
    state.add_key(KEY)
    state.add_project("shop")
    state.add_connector("shop", "orders")
    home.run("apply", declared(home))
    started = [state.start_run("orders", rows=0) for _ in range(RUNS)]
    for command in ("worker", "beat", "progress", "progress"):
        home.start(command, WAGGLE_PROGRESS_RUNS="120")

    def live() -> int:
        return len([one for one in home.json("runs", "--limit", "999") if one["stream"] == "open"])

    home.wait(lambda: live() == RUNS)
    for run in started[:50]:
        state.finish_run(run, rows=1)
    victim = home.processes[2]
    os.killpg(victim.pid, signal.SIGKILL)
    victim.wait()
    for run in started[50:120]:
        state.finish_run(run, rows=1)
    home.start("progress", WAGGLE_PROGRESS_RUNS="120")
    for run in started[120:]:
        state.finish_run(run, rows=1)

    def over() -> int:
        return len([one for one in home.json("runs", "--limit", "999") if one["finished_at"]])

    home.wait(lambda: over() == RUNS)
    home.wait(lambda: sum(home.ours("output").values()) == RUNS)
    assert {one["state"] for one in home.json("runs", "--limit", "999")} == {"completed"}
    assert KEY not in home.log()
    assert "Traceback" not in home.log()
