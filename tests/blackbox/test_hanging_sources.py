"""Scheduled work that hangs stands in nobody's way."""

import statistics
import time

import pytest

from tests.blackbox.house import House
from tests.blackbox.link import Link

pytestmark = [pytest.mark.blackbox, pytest.mark.timeout(180)]

SOURCES = 20  # a worker has 16 slots
CALLS = 10


def median_of_callbacks(home: House) -> float:
    """Seconds that a callback with something new takes to be answered."""
    took = []
    for _ in range(CALLS):
        home.grow(time.monotonic() % 7)
        began = time.monotonic()
        answer = home.autofetch()
        took.append(time.monotonic() - began)
        assert answer.status_code == 200, answer.text
    return statistics.median(took)


def test_hanging_sources_do_not_delay_callbacks(home: House) -> None:
    """More sources than slots never answer: a healthy one's callbacks are as quick as ever."""
    home.run("apply", str(home.declare("energy")))
    home.up(WAGGLE_WORKER_PROCESSES="1")
    assert home.autofetch().status_code == 200
    alone = median_of_callbacks(home)

    with Link(1) as nobody:
        nobody.freeze()
        hanging = ""
        for number in range(SOURCES):
            home.sims.beeminder.state.add_goal("alice", f"dark{number}", kyoom=True, aggday="sum")
            hanging += (
                f'[sources.dark{number}]\nprovider = "bemserver"\nuser = "alice"\n'
                f'url = "http://127.0.0.1:{nobody.port}/api/v0"\nemail = "a@example.org"\n'
                f'password = "secret"\n'
                f'[feeds."alice/dark{number}"]\nsource = "dark{number}"\n'
                f'metric = "timeseries_aggregate"\nparams = {{ timeseries = 1 }}\n'
            )
        home.run("apply", str(home.declare("energy", text=hanging)))
        home.wait(lambda: nobody.held >= 8)
        beside = median_of_callbacks(home)
        # Some wait for our own rate at Beeminder first; none is answered by its source.
        assert "deferred=False" not in home.log(), "they hang no more: nothing was tested"

    assert beside < 5 * alone + 0.5
