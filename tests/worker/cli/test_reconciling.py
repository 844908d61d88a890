"""Promises of `waggle reconcile`: the truth about a goal; no edit is written over unasked."""

import time

import pytest
from click.testing import CliRunner
from sqlmodel import select

from db.models import Feed
from db.models_points import Datapoint, Day
from simulators import beeminder_datapoints
from simulators.faults import Fault
from worker.cli import reconciling
from worker.cli.main import cli


@pytest.fixture
def landed(here, world):
    """One point of today has landed."""
    here("sync", "alice/energy", "--wait")
    (point,) = world.points()
    return point


def change(ledger, table, **columns):
    """Set columns of the one row of a table."""
    with ledger.write() as session:
        row = session.exec(select(table)).one()
        for name, value in columns.items():
            setattr(row, name, value)
        session.add(row)


def edit(world, point, **fields):
    """A person changes a point at Beeminder."""
    state = world.beeminder.state
    goal = state.goal("alice", "energy")
    beeminder_datapoints.change(state, goal, point.id, fields, via=None)


def finish(world, ledger):
    """The day of the one point is over, an hour ago."""
    change(ledger, Day, ends_at=time.time() - 3600, starts_at=time.time() - 90000)


def test_equal_is_one_line_and_status_0(here, landed):
    """Nothing to look at, nothing to do."""
    assert here("reconcile", "alice/energy").stdout == "alice/energy: 1 equal\n"
    assert here("reconcile").stdout == "alice/energy: 1 equal\n"


@pytest.mark.parametrize("step", ["command.turn", "reconcile.page", "reconcile.read"])
def test_ctrl_c_leaves_the_goal_free(here, world, landed, interrupted, step):
    """Nothing is said of what was not looked at to its end, and it can be looked at again."""
    interrupted(step)
    done = here("reconcile", "alice/energy", status=1)
    assert (done.stdout, done.stderr) == ("", "\nAborted!\n")
    assert world.feed().lease_owner is None
    assert here("reconcile", "alice/energy").stdout == "alice/energy: 1 equal\n"


def test_a_difference_names_day_and_both_values(here, world, landed, ledger):
    """Status 1, the day, both values, and the command that writes it again."""
    edit(world, landed, value=9.0)
    finish(world, ledger)
    told = here("reconcile", "alice/energy", status=1).stdout
    first, _, line = told.splitlines()
    assert first == "alice/energy: 0 equal, 1 edited"
    day = landed.daystamp
    assert line.split()[:4] == [f"{day[:4]}-{day[4:6]}-{day[6:]}", "9", "2.5", "edited"]
    assert "`waggle reconcile alice/energy --repair --yes`" in line
    assert world.points()[0].value == 9.0


def test_as_json(here, world, landed, ledger):
    """One document for one goal, a list for all of them."""
    edit(world, landed, value=9.0)
    finish(world, ledger)
    found = here.json("reconcile", "alice/energy", status=1)
    assert found == {
        "goal": "alice/energy",
        "equal": 0,
        "differences": [
            {
                "feed": "alice/energy",
                "daystamp": landed.daystamp,
                "requestid": landed.requestid,
                "kind": "edited",
                "beeminder": 9.0,
                "ledger": 2.5,
                "done": "frozen",
            }
        ],
        "waiting": [],
    }
    (again,) = here.json("reconcile", status=1)
    assert again["differences"][0]["done"] == "left"


def test_a_repair_without_a_terminal_needs_yes(here, world, landed, ledger):
    """Without it the edit stays and the status is 1; with it the status is 0."""
    edit(world, landed, value=9.0)
    finish(world, ledger)
    here("reconcile", "alice/energy", "--repair", status=1)
    assert world.points()[0].value == 9.0
    told = here("reconcile", "alice/energy", "--repair", "--yes").stdout
    assert told.startswith("alice/energy: 1 equal, 1 edited\n")
    assert "written again" in told
    assert world.points()[0].value == 2.5
    assert here("reconcile", "alice/energy").stdout == "alice/energy: 1 equal\n"


@pytest.mark.parametrize(("answer", "value", "status"), [("y\n", 2.5, 0), ("n\n", 9.0, 1)])
def test_on_a_terminal_it_asks(here, world, landed, ledger, monkeypatch, *, answer, value, status):
    """A person is asked before an edit of a finished day is written over."""
    edit(world, landed, value=9.0)
    finish(world, ledger)
    monkeypatch.setattr(reconciling, "_on_terminal", lambda: True)
    arguments = ("reconcile", "alice/energy", "--repair")
    done = CliRunner().invoke(cli, arguments, env=here.env, input=answer)
    assert done.exit_code == status
    assert "may derail" in done.stdout
    assert world.points()[0].value == value


def test_today_is_repaired_without_a_question(here, world, landed):
    """Nobody's finished day is touched by it."""
    edit(world, landed, value=9.0)
    here("reconcile", "alice/energy", status=1)
    here("reconcile", "alice/energy", "--repair")
    assert world.points()[0].value == 2.5


def test_a_deletion_stays_and_is_told(here, world, landed, ledger):
    """Also a confirmed repair does not restore it, and says so; after that it is settled."""
    state = world.beeminder.state
    beeminder_datapoints.delete(state, state.goal("alice", "energy"), landed.id, via=None)
    finish(world, ledger)
    for given in ((), ("--repair", "--yes")):
        told = here("reconcile", "alice/energy", *given, status=1).stdout
        assert "1 deleted" in told
        assert "stays deleted" in told
    assert here("reconcile", "alice/energy").stdout == "alice/energy: 0 equal\n"
    assert world.points() == []


def test_what_waits_is_shown_with_the_way_on(here, landed, ledger):
    """A held correction is no difference; the line names the command that sends it."""
    change(ledger, Datapoint, state="held", value=0.0, error="would empty a finished day")
    told = here("reconcile", "alice/energy").stdout
    assert "1 held" in told
    assert f"would empty a finished day; `waggle approve alice/energy {landed.daystamp}`" in told


def test_points_of_another_waggle_are_named(here, world, landed):
    """They make the status 1 and are left alone, whatever is said."""
    state = world.beeminder.state
    fields = {"value": 5.0, "daystamp": "20200101", "requestid": "wg-0123456789abcdef-20200101"}
    beeminder_datapoints.upsert(state, state.goal("alice", "energy"), fields, via="personal")
    told = here("reconcile", "alice/energy", "--repair", "--yes", status=1).stdout
    assert "1 foreign" in told
    assert "2020-01-01" in told
    assert len(world.points()) == 2


def test_a_busy_goal_says_so(here, landed, ledger, monkeypatch):
    """A worker that holds it is waited for, and not for ever."""
    monkeypatch.setattr(reconciling, "BUSY_SECONDS", 0.0)
    change(ledger, Feed, lease_owner="somebody", lease_until=time.time() + 60)
    line = here.refusal("reconcile", "alice/energy", status=1)
    assert line == "alice/energy is being worked on; try again in a minute"


def test_trouble_at_beeminder_is_one_line(here, world, landed):
    """Status 1 and why; nothing is concluded from an answer that did not come."""
    world.beeminder.faults.add(Fault(path="datapoints", status=500, times=None))
    line = here.refusal("reconcile", "alice/energy", status=1)
    assert line.startswith("alice/energy: Beeminder: ")


def test_a_paused_goal_can_be_compared(here, landed):
    """Whoever asks is told, also while nothing is synced."""
    here("pause", "alice/energy")
    assert here("reconcile", "alice/energy").stdout == "alice/energy: 1 equal\n"


def test_yes_alone_is_refused(here, world):
    """It confirms something that was not asked for."""
    assert "--repair" in here.refusal("reconcile", "alice/energy", "--yes")


def test_an_unknown_goal_is_refused(here, world):
    """With the nearest name."""
    assert "alice/energy" in here.refusal("reconcile", "alice/enrgy")


def test_without_goals_there_is_nothing_to_do(waggle):
    """A fresh home is equal to nothing."""
    assert waggle("reconcile").stdout == "there is no goal to reconcile\n"
    assert waggle.json("reconcile") == []


def test_a_limit_is_told_with_its_end(here, world, landed):
    """Beeminder wants no requests: until when, and that is no difference of the goal's."""
    world.beeminder.faults.add(Fault(status=429, headers={"Retry-After": "900"}))
    refused = here.refusal("reconcile", "alice/energy", status=1)
    assert refused.startswith("alice/energy: Beeminder: ")
    waits = here.refusal("reconcile", "alice/energy", status=1)
    assert waits.startswith("alice/energy: Beeminder: waiting for a limit, until 20")
