"""Each line of the Procfile runs by itself, and all of them make one Waggle."""

import signal
import time
from pathlib import Path

import httpx
import pytest

from tests.blackbox.house import House

pytestmark = [pytest.mark.blackbox, pytest.mark.timeout(180)]

ROOT = Path(__file__).parents[2]


def lines() -> dict[str, list[str]]:
    """The processes of the Procfile: name to what comes after `waggle`."""
    found = {}
    for line in (ROOT / "Procfile").read_text().splitlines():
        name, _, command = line.partition(":")
        waggle, *arguments = command.split()
        assert waggle == "waggle", line
        found[name] = arguments
    return found


def test_the_lines_of_the_procfile_are_a_waggle(home: House) -> None:
    """`release` ends with 0; the others stay, serve callbacks, and end on SIGTERM in 10 s."""
    commands = lines()
    assert set(commands) == {"release", "web", "worker", "progress", "beat"}
    home.run(*commands.pop("release"))
    home.run("apply", str(home.declare("energy", "output")))
    for arguments in commands.values():
        home.start(*arguments)

    def ready() -> bool:
        try:
            return home.http.get("/readyz").json()["workers"] == 2
        except httpx.TransportError:
            return False

    home.wait(ready)
    assert home.autofetch().status_code == 200
    home.wait(lambda: home.ours("output"))  # beat's sweeps
    assert [process.poll() for process in home.processes] == [None] * 4

    began = time.monotonic()
    for process in home.processes:
        process.send_signal(signal.SIGTERM)
    statuses = [process.wait(15) for process in home.processes]

    assert time.monotonic() - began < 10
    assert statuses == [0] * 4
    assert "Traceback" not in home.log()
