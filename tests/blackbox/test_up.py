"""`waggle up` from outside: callbacks in, datapoints out, and nothing lost when it is killed."""

import concurrent.futures
import contextlib
import os
import signal
import sqlite3
import time
from pathlib import Path

import pytest

from simulators.faults import Fault
from tests.blackbox.house import PASSWORD, SECRET, TOKEN, House

pytestmark = [pytest.mark.blackbox, pytest.mark.timeout(180)]


def test_a_callback_lands_before_it_is_answered(house: House) -> None:
    """A 200 means that the datapoint is on the goal at that moment, and only once."""
    house.run("apply", str(house.declare("energy")))
    house.up()
    total = house.grow(4.0)

    answer = house.autofetch()

    assert answer.status_code == 200, answer.text + house.log()
    assert answer.json()["status"] == "fresh"
    (point,) = house.json("datapoints", "alice/energy")[:1]
    assert house.ours()[point["requestid"]] == point["value"] == total == 6.5
    assert (point["state"], point["daystamp"]) == ("landed", house.today())
    events = house.json("events")
    assert [event["state"] for event in events] == ["done"]
    assert events[0]["attempts"] == 1


def test_killed_processes_lose_nothing(house: House) -> None:
    """Callbacks that were stored are answered by datapoints after a kill -9 of everything."""
    house.run("apply", str(house.declare("energy", "output")))
    slow = house.sims.faults.add(Fault(path="/timeseries_data/", delay=60, times=None))
    house.up(WAGGLE_HOLD_SECONDS="0")
    assert house.autofetch("energy").status_code == 503
    assert house.autofetch("output").json() == {"status": "late"}
    house.wait(lambda: slow.hits)
    house.kill()
    house.sims.faults.clear()

    house.up()

    house.wait(lambda: {event["state"] for event in house.json("events")} == {"done"})
    assert len(house.ours("energy")) == len(house.ours("output")) == 1


@pytest.mark.parametrize("count", [1, 2, 3])
def test_workers_that_die_are_started_again(home: House, count: int) -> None:
    """After all of them were killed the next callbacks are answered, and as many are there."""
    home.run("apply", str(home.declare("energy")))
    home.up(WAGGLE_WORKER_PROCESSES=str(count))
    home.wait(lambda: home.autofetch().status_code == 200)
    home.grow(0.5)
    killed = home.workers()
    assert len(killed) == count
    for worker in killed:
        os.kill(worker, signal.SIGKILL)

    answers = []
    home.wait(lambda: answers.append(home.autofetch()) or answers[-1].status_code == 200)

    assert list(home.ours().values()) == [3.0]
    home.wait(lambda: len(home.workers()) == count)
    assert not set(home.workers()) & set(killed)


@pytest.mark.parametrize("which", [0, 1])
def test_the_other_worker_goes_on(home: House, which: int) -> None:
    """Whichever of two is frozen, also the one with the schedule: callbacks are answered 200."""
    home.run("apply", str(home.declare("energy")))
    home.up(WAGGLE_WORKER_PROCESSES="2")
    home.wait(lambda: home.http.get("/readyz").json()["workers"] == 2)
    home.wait(lambda: home.autofetch().status_code == 200)
    frozen = home.workers()[which]
    home.wait(lambda: frozen_between_writes(home, frozen))
    try:
        total = home.grow(0.5)
        home.wait(lambda: home.autofetch().status_code == 200)
        assert list(home.ours().values()) == [total]
    finally:
        os.kill(frozen, signal.SIGCONT)


def state(task: Path) -> str:
    """What a thread does, as the kernel's letter: T when it is stopped."""
    return (task / "stat").read_text().rpartition(")")[2].split()[0]


def frozen_between_writes(home: House, worker: int) -> bool:
    """Freeze it where others can write: an SQLite file is locked as long as one does."""
    os.kill(worker, signal.SIGSTOP)
    # A thread that is in the kernel stops when it comes out, perhaps with the lock in its hands.
    home.wait(lambda: all(state(task) == "T" for task in Path(f"/proc/{worker}/task").iterdir()))
    file = home.folder / "home" / "waggle.db"
    ledger = contextlib.closing(sqlite3.connect(file, timeout=2))
    with ledger as opened, contextlib.suppress(sqlite3.OperationalError):
        opened.execute("BEGIN IMMEDIATE")
        return True
    os.kill(worker, signal.SIGCONT)
    return False


def test_sigterm_answers_what_is_held_and_ends_in_time(house: House) -> None:
    """100 callbacks held behind a slow source: all answered 503 at once, all gone in 8 s."""
    house.run("apply", str(house.declare("energy")))
    up = house.up()
    house.sims.faults.add(Fault(path="/timeseries_data/", delay=60, times=None))
    house.grow(4.0)
    with concurrent.futures.ThreadPoolExecutor(100) as callers:
        held = [callers.submit(house.autofetch) for _ in range(100)]
        house.wait(lambda: "waggle_held 100.0" in house.http.get("/metrics").text)

        started = time.monotonic()
        up.send_signal(signal.SIGTERM)
        answers = [future.result(20) for future in held]
        up.wait(20)
        took = time.monotonic() - started

    assert [answer.status_code for answer in answers] == [503] * 100
    assert took < 10
    assert up.returncode == 0
    house.sims.faults.clear()


def test_no_secret_leaves_its_row(home: House) -> None:
    """Tokens and passwords are in no log, page, metric, queue file or plain database byte."""
    home.run("apply", str(home.declare("energy")))
    home.up(WAGGLE_LOG_LEVEL="debug")
    home.sims.faults.add(Fault(method="POST", path="/datapoints", status=500, body="<h1>no"))
    assert home.autofetch().status_code == 200

    seen = home.log() + home.http.get("/metrics").text + home.http.get("/").text
    seen += home.run("status").stdout + home.run("events").stdout
    files = [path.read_bytes() for path in (home.folder / "home").rglob("*") if path.is_file()]

    for secret in (TOKEN, PASSWORD):
        assert secret not in seen
        assert not any(secret.encode() in content for content in files)
    assert SECRET not in seen
