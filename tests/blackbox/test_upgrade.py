"""Two versions work together for a while, and no callback notices."""

import contextlib
import os
import signal
import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from db import schema
from simulators.faults import Fault
from tests.blackbox import previous
from tests.blackbox.callers import GOALS, Callers
from tests.blackbox.conftest import EMBEDDED
from tests.blackbox.house import SECRET, House, free_port
from tests.blackbox.previous import Process
from tests.blackbox.services import Services

pytestmark = [pytest.mark.blackbox, pytest.mark.timeout(180)]

SERVERS = "postgresql+rabbitmq"
# Each takes a quarter of a minute. Tables are changed under workers where there are many of them.
WAYS = [
    (EMBEDDED, previous.COMMIT),
    pytest.param(SERVERS, previous.COMMIT, marks=pytest.mark.services),
    pytest.param(SERVERS, previous.SCHEMA, marks=pytest.mark.services),
]


@pytest.fixture
def house(backend: str, tmp_path: Path, services: Services) -> Iterator[House]:
    """A house on the embedded default, or on servers."""
    with contextlib.ExitStack() as stack:
        settings = {}
        if backend == SERVERS:
            settings["DATABASE_URL"] = stack.enter_context(services.database())
            settings["BROKER_URL"] = services.broker("rabbitmq")
        yield stack.enter_context(House(tmp_path, **settings))


def listening(url: str) -> bool:
    """Does a receiver answer there?"""
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(f"{url}/healthz").status_code == 200
    return False


def workers(url: str) -> int:
    """How many workers a receiver sees."""
    return int(httpx.get(f"{url}/readyz").json()["workers"])


@pytest.mark.parametrize(("backend", "which"), WAYS)
def test_no_callback_is_lost_in_an_upgrade(house: House, which: str, tmp_path: Path) -> None:
    """The new one joins the old one, takes over the callers, then the work; all are answered 200.

    Each goal ends up with one datapoint, and that has everything that was measured.
    """
    earlier = previous.checkout(which, tmp_path / "earlier")
    old_port, new_port = free_port(), free_port()
    old_url, new_url = (f"http://127.0.0.1:{port}" for port in (old_port, new_port))
    work = ("worker", "--with-beat")

    apply = Process(house, "old-apply", "apply", str(house.declare(*GOALS)), checked_out=earlier)
    assert apply.process.wait(30) == 0, apply.log()
    old_web = Process(house, "old-web", "web", checked_out=earlier, port=old_port)
    old_worker = Process(house, "old-worker", *work, checked_out=earlier)
    house.wait(lambda: listening(old_url) and workers(old_url) == 1)
    # Long enough for each stop to find something half-done.
    house.sims.faults.add(Fault(action="delay", path="/timeseries_data/", delay=0.2, times=None))

    with Callers(house, old_url) as callers:
        house.wait(lambda: callers.answered(old_url) > 2)
        house.run("migrate")
        if previous.head(earlier) != schema.HEAD:
            late = Process(house, "late", "worker", checked_out=earlier)
            assert late.process.wait(30) == 1
            assert "newer Waggle" in late.log()
        new_worker = Process(house, "new-worker", *work)
        house.wait(lambda: workers(old_url) == 2)
        house.grow(0.5)
        before = old_worker.log().count("feed.synced"), new_worker.log().count("feed.synced")
        house.wait(
            lambda: (
                old_worker.log().count("feed.synced") > before[0] + 1
                and new_worker.log().count("feed.synced") > before[1] + 1
            )
        )
        new_web = Process(house, "new-web", "web", port=new_port)
        house.wait(lambda: listening(new_url))
        callers.url = new_url
        house.wait(lambda: callers.answered(new_url) > 2 and callers.drained(old_url))
        old_web.stop()
        house.grow(0.25)
        old_worker.stop()
        after = callers.answered(new_url)
        house.wait(lambda: callers.answered(new_url) > after + 4)

    total = house.grow(0.125)
    for slug in GOALS:
        assert house.http.post(
            f"{new_url}/beeminder/autofetch/{SECRET}", data={"username": "alice", "slug": slug}
        ).json() == {"status": "fresh", "datapoints": 1}
    assert {outcome for _, outcome in callers.answers} == {"200 fresh"}, callers.answers
    for slug in GOALS:
        points = house.sims.beeminder.state.datapoints("alice", slug)
        assert [point.value for point in points] == [pytest.approx(total)]
    states = Counter(event["state"] for event in house.json("events", "--limit", "10000"))
    assert states == {"done": callers.answers.total() + len(GOALS)}
    new_web.stop()
    new_worker.stop()


def revise(home: House, revision: str) -> None:
    """The tables are of this revision from now on, says whoever migrated them."""
    with contextlib.closing(sqlite3.connect(home.folder / "home" / "waggle.db")) as ledger:
        ledger.execute("UPDATE alembic_version SET version_num = ?", (revision,))
        ledger.commit()


def test_up_goes_on_when_the_tables_become_newer(home: House) -> None:
    """Callbacks are answered as before; what dies then is not replaced, which is said, and tried.

    A receiver without a worker still stores callbacks. Back at a version that it knows, all of
    them are worked on.
    """
    home.run("apply", str(home.declare("energy")))
    home.up(WAGGLE_HOLD_SECONDS="2")
    revise(home, "9999")

    home.grow(0.5)
    home.wait(lambda: home.autofetch().status_code == 200)
    killed = home.workers()
    for worker in killed:
        os.kill(worker, signal.SIGKILL)
    refused = "revision 9999, which this version does not know"
    home.wait(lambda: home.log().count(refused) > len(killed))
    value = home.grow(0.25)
    assert home.autofetch().json() == {"status": "late"}

    revise(home, schema.HEAD)
    home.wait(lambda: list(home.ours().values()) == [pytest.approx(value)])
    home.wait(lambda: home.autofetch().status_code == 200)
    assert home.stop() == 0
    assert "Traceback" not in home.log()
