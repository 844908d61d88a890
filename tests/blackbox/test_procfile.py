"""Each line of the Procfile runs by itself, and all of them make one Waggle."""

import signal
import time
from pathlib import Path

import httpx
import pytest

from tests.blackbox.house import House
from tests.blackbox.services import Services

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

    home.wait(lambda: workers(home) == 2)
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


@pytest.mark.parametrize("broker", ["rabbitmq", "redis"])
@pytest.mark.services
def test_one_machine_may_run_as_many_workers_as_it_likes(
    broker: str, tmp_path: Path, services: Services
) -> None:
    """Two workers and beat on one broker: both work, and neither has fallen over the other."""
    with (
        services.database() as database,
        House(tmp_path, DATABASE_URL=database, BROKER_URL=services.broker(broker)) as house,
    ):
        house.run("apply", str(house.declare("energy", "output")))
        for command in ("web", "worker", "worker", "beat"):
            house.start(command)

        house.wait(lambda: workers(house) == 2)
        house.wait(lambda: house.ours("energy") and house.ours("output"))

        assert [process.poll() for process in house.processes] == [None] * 4
        assert "Traceback" not in house.log()


def workers(house: House) -> int:
    """How many workers the receiver sees; 0 while it does not listen yet."""
    try:
        return int(house.http.get("/readyz").json()["workers"])
    except httpx.TransportError:
        return 0
