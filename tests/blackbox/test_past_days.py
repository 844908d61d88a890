"""Past days read again by processes that are killed and interrupted: each day once, none lost."""

import signal
import time
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from simulators.faults import Fault
from tests.blackbox.house import House

pytestmark = [pytest.mark.blackbox, pytest.mark.timeout(180)]

DAYS = 150  # five chunks
DAY = 86400.0


def first_day(house: House) -> str:
    """So many days ago, as a person of the house types it."""
    today = datetime.now(ZoneInfo(house.zone))
    return (today - timedelta(days=DAYS)).strftime("%Y-%m-%d")


def history(house: House) -> None:
    """A sample in each of those days, and a source that answers late from the fourth chunk on.

    So late that whoever interrupts it then is in time, on a busy machine too.
    """
    now = time.time()
    house.measure({now - ago * DAY: 2.0 + ago for ago in range(1, DAYS + 1)})
    late = Fault(action="delay", path="timeseries_data/", after=3, delay=5.0, times=None)
    house.sims.faults.add(late)


def expect_every_day_once(house: House) -> None:
    """All of them are there, and none was made twice."""
    assert len(house.ours("energy")) == DAYS + 1
    counts = house.sims.beeminder.state.write_counts("alice", "energy")
    assert {found["created"] for found in counts.values()} == {1}


def test_a_killed_waggle_goes_on_where_it_was(house: House) -> None:
    """By kill -9, in the middle: the next start ends the backfill, and callbacks are served."""
    house.run("apply", str(house.declare("energy")))
    house.up()
    assert house.autofetch("energy").status_code == 200
    history(house)

    house.run("sync", "alice/energy", "--from", first_day(house))
    house.wait(lambda: len(house.ours("energy")) > 40)
    house.kill()
    house.sims.faults.clear()
    assert len(house.ours("energy")) < DAYS
    assert "backfill alice/energy" in house.run("status").stdout
    house.up()
    assert house.autofetch("energy").status_code == 200

    house.run("sync", "alice/energy", "--from", first_day(house), "--wait")
    assert "backfill" not in house.run("status").stdout
    expect_every_day_once(house)


def test_ctrl_c_leaves_the_rest_to_whoever_comes_next(home: House) -> None:
    """A command that does the work itself is interrupted; the same command ends what it began."""
    home.run("apply", str(home.declare("energy")))
    history(home)
    command = ("sync", "alice/energy", "--from", first_day(home), "--wait")

    begun = home.start(*command)
    home.wait(lambda: len(home.ours("energy")) > 40)
    begun.send_signal(signal.SIGINT)
    home.sims.faults.clear()
    assert begun.wait(20) == 1
    assert "`waggle up` goes on with it" in home.log()
    assert len(home.ours("energy")) < DAYS

    assert "datapoints written" in home.run(*command).stdout
    expect_every_day_once(home)
