"""Promises of `waggle sync`: the goal is fresh when it says so, with or without a worker."""

import pytest
from sqlmodel import select

from db.models import Event, Feed, Worker
from simulators.faults import Fault


def events(ledger):
    """All events."""
    with ledger.read() as session:
        return session.exec(select(Event)).all()


def test_without_a_worker_wait_does_the_work_itself(here, world, ledger):
    """Exit status 0 means that the datapoint is at Beeminder."""
    told = here("sync", "alice/energy", "--wait").stdout
    assert told == "alice/energy is fresh: 1 datapoint written\n"
    assert list(world.values().values()) == [2.5]
    (event,) = events(ledger)
    assert (event.kind, event.state, event.attempts) == ("sync", "done", 1)
    assert here("sync", "alice/energy", "--wait").stdout.endswith("0 datapoints written\n")


def test_wait_as_json(here, world):
    """One document with the event and what became of it."""
    found = here.json("sync", "alice/energy", "--wait")
    assert (found["feed"], found["state"], found["datapoints"]) == ("alice/energy", "done", 1)
    assert found["error"] is None


def test_a_failure_is_told_with_its_reason(here, world):
    """Exit status 1 and why; as JSON the document is there as well."""
    world.bemserver.state.users.clear()
    line = here.refusal("sync", "alice/energy", "--wait", status=1)
    assert line.startswith("alice/energy: source plant: ")
    done = here("sync", "alice/energy", "--wait", "--json", status=1)
    assert '"state": "failed"' in done.stdout


@pytest.mark.parametrize("step", ["command.turn", "fetched", "recorded", "push.begun"])
def test_ctrl_c_ends_it_at_the_next_step(here, world, ledger, interrupted, step):
    """Nothing more is sent, the feed is free, and the same goal is synced by whoever comes next."""
    interrupted(step)
    line = here.refusal("sync", "alice/energy", "--wait", status=1)
    (event,) = events(ledger)
    told = f"not done yet, it stays as event {event.id}: `waggle up` goes on with it"
    assert line == f"alice/energy: {told}"
    assert world.values() == {}
    assert world.feed().lease_owner is None
    here("sync", "alice/energy", "--wait")
    assert list(world.values().values()) == [2.5]
    assert {event.state for event in events(ledger)} == {"done"}


def test_wait_ends_when_its_time_is_over(here, world, ledger):
    """With a worker that does nothing the command ends, and says that the work goes on."""
    with ledger.write() as session:
        session.add(
            Worker(name="w", queues="urgent,default,bulk", slots=1, started_at=0, seen_at=9e9)
        )
    line = here.refusal("sync", "alice/energy", "--wait", "--timeout", "0", status=1)
    assert "it goes on as event" in line
    assert events(ledger)[0].state == "received"


def test_without_wait_it_is_stored_and_says_that_nothing_runs(here, world, ledger, folder):
    """The event is there for whoever starts next, and the person is not left waiting."""
    done = here("sync", "alice/energy")
    (event,) = events(ledger)
    assert event.id in done.stdout
    assert "waggle up" in done.stderr
    assert (event.goal_id, event.user_id) != (None, None)
    assert world.values() == {}
    assert len(list((folder / "var" / "queue").rglob("*.urgent.msg"))) == 1


def test_with_a_worker_it_is_only_asked_for(here, world, ledger):
    """Nothing is said of missing workers."""
    with ledger.write() as session:
        session.add(
            Worker(name="w", queues="urgent,default,bulk", slots=1, started_at=0, seen_at=9e9)
        )
    done = here("sync", "alice/energy")
    assert done.stderr == ""
    assert "asked for" in done.stdout
    assert here.json("sync", "alice/energy")["state"] == "received"


def test_a_paused_goal_is_not_synced(here, world, ledger):
    """It says how to wake it, and stores nothing."""
    here("pause", "alice/energy")
    assert "waggle resume alice/energy" in here.refusal("sync", "alice/energy", status=1)
    assert events(ledger) == []


def test_preview_shows_what_would_be_sent_and_sends_nothing(here, world, ledger):
    """Value, day, comment and why; nothing is at Beeminder and no event is stored."""
    told = here("sync", "alice/energy", "--preview").stdout
    assert "2.5" in told
    assert "create" in told
    assert "nothing was sent" in told
    (row,) = here.json("sync", "alice/energy", "--preview")
    assert (row["feed"], row["value"], row["action"]) == ("alice/energy", 2.5, "create")
    assert row["why"]
    assert world.values() == {}
    assert events(ledger) == []
    with ledger.read() as session:
        assert session.exec(select(Feed)).one().last_synced_at is None


def test_a_preview_that_a_limit_keeps_waiting_says_until_when(here, world):
    """It waits for nothing and nobody, and names the time at which it is worth another try."""
    world.bemserver.faults.add(Fault(status=429, headers={"Retry-After": "900"}))
    world.work()
    line = here.refusal("sync", "alice/energy", "--preview", status=1)
    assert line.startswith("alice/energy: source plant: waiting for a limit, until 20")


def test_a_preview_that_fails_says_why(here, world):
    """Exit status 1 and one line."""
    world.bemserver.state.users.clear()
    assert here.refusal("sync", "alice/energy", "--preview", status=1).startswith("alice/energy")
