"""Promises of `waggle sync --from`: those days, none before `since`, and it says how far it is."""

import re
import time
from datetime import UTC, datetime

import pytest
from sqlmodel import select

from db.models import Backfill, Feed, Goal, Worker
from db.models_points import Datapoint
from tests.tasks.scenes import all_rows, change_feed
from tests.world import DAY, NOON


def day(ago):
    """The daystamp of so many days before today, in UTC."""
    return datetime.fromtimestamp(time.time() - ago * DAY, UTC).strftime("%Y%m%d")


def dashed(ago):
    """The same as a person types it."""
    return datetime.fromtimestamp(time.time() - ago * DAY, UTC).strftime("%Y-%m-%d")


@pytest.fixture
def world(world):
    """The world with a sample in each of forty days before today."""
    there = dict.fromkeys((NOON - 3600, NOON - 1800, NOON - DAY), 0.0)  # counts no more
    samples = {world.clock.at - ago * DAY: 3.0 + ago for ago in range(1, 41)}
    world.measure(world.series, there | samples)
    return world


@pytest.fixture
def awake(world, ledger):
    """A worker that lives, and does nothing."""
    with ledger.write() as session:
        session.add(
            Worker(name="w", queues="urgent,default,bulk", slots=1, started_at=0, seen_at=9e9)
        )
    return world


def only(world):
    """The one backfill there is."""
    (row,) = all_rows(world, Backfill)
    return row


def test_without_a_worker_wait_does_the_work_itself(here, world):
    """Every day is at Beeminder; a line for each chunk on stderr, the sum on stdout."""
    done = here("sync", "alice/energy", "--from", dashed(40), "--wait")
    assert done.stdout == (
        f"alice/energy: 41 days ({dashed(40)} to {dashed(0)}) read again, 40 datapoints written\n"
    )
    values = world.values()
    assert len(values) == 41
    assert (values[day(40)], values[day(1)]) == (43.0, 4.0)
    told = done.stderr.splitlines()
    assert told[0] == f"alice/energy: 0 of 41 days, 0 written, 0 held, at {dashed(40)}"
    assert told[1] == f"alice/energy: 31 of 41 days, 31 written, 0 held, at {dashed(9)}"
    assert told[-1] == "alice/energy: 41 of 41 days, 40 written, 0 held"
    assert world.feed().lease_owner is None


def test_as_json_with_wait(here, world):
    """One document on stdout, with how far it came."""
    (found,) = here.json("sync", "alice/energy", "--from", day(40), "--to", day(35), "--wait")
    assert (found["feed"], found["state"], found["days"]) == ("alice/energy", "done", 6)
    assert (found["days_done"], found["written"], found["held"]) == (6, 6, 0)
    assert (found["first_day"], found["last_day"]) == (day(40), day(35))
    assert (found["next_day"], found["error"]) == (None, None)


def test_without_wait_it_is_stored_and_says_that_nothing_runs(here, world, folder):
    """It stands in the ledger for whoever starts next; `waggle status` shows it."""
    done = here("sync", "alice/energy", "--from", dashed(40))
    assert "41 days" in done.stdout
    assert "waggle up" in done.stderr
    assert len(list((folder / "var" / "queue").rglob("*.bulk.msg"))) == 1
    assert world.values() == {}
    line = f"backfill alice/energy {dashed(40)}..{dashed(0)}: 0 of 41 days"
    assert line in here("status").stdout
    assert (only(world).first_day, only(world).next_day) == (day(40), day(40))


def test_running_it_again_joins_the_open_one(here, awake):
    """From the same day on: one backfill. From another one on: refused, with what to do."""
    here("sync", "alice/energy", "--from", dashed(40), "--to", dashed(1))
    assert here("sync", "alice/energy", "--from", dashed(40)).stderr == ""
    line = here.refusal("sync", "alice/energy", "--from", dashed(39))
    assert f"{dashed(40)} to {dashed(0)} is being read already" in line
    assert "--cancel-backfill" in line
    assert only(awake).first_day == day(40)


def test_it_is_cancelled(here, awake):
    """Once; the second time there is nothing to cancel."""
    here("sync", "alice/energy", "--from", dashed(40))
    assert here("sync", "alice/energy", "--cancel-backfill").stdout.startswith("cancelled")
    assert only(awake).state == "cancelled"
    assert "backfill" not in here("status").stdout
    assert "no backfill is open" in here.refusal(
        "sync", "alice/energy", "--cancel-backfill", status=1
    )


def test_days_before_since_are_refused(here, world):
    """Exit status 2, the reason and what to do; nothing is stored."""
    change_feed(world, since=day(10))
    line = here.refusal("sync", "alice/energy", "--from", dashed(11), "--wait")
    assert line == (
        f"alice/energy: since is {dashed(10)}: earlier days are never touched; start there, or "
        "change `since` in the file"
    )
    here.refusal("sync", "alice/energy", "--from", dashed(11), "--preview")
    assert all_rows(world, Backfill) == []
    assert here("sync", "alice/energy", "--from", dashed(10), "--wait").stdout


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--from", "2026-02-30"], "is no day"),
        (["--from", "20201104", "--to", "20201103"], "is later than --to 2020-11-03"),
        (["--from", "2020-01-01", "--to", "2999-01-01"], "2999-01-01 has not begun"),
        (["--from", "0206-01-01"], "is the year right?"),
        (["--to", "2020-01-01"], "--to needs --from"),
        (["--cancel-backfill", "--wait"], "stands alone"),
    ],
)
def test_wrong_days_are_refused(here, world, options, why):
    """Exit status 2, one line, nothing stored."""
    assert why in here.refusal("sync", "alice/energy", *options)
    assert all_rows(world, Backfill) == []


def test_without_a_label_all_feeds_of_the_goal(here, world):
    """Both are read again; one that is paused is left out, and said."""
    world.link("energy", label="roof", series=world.other_series)
    found = here.json("sync", "alice/energy", "--from", day(3), "--wait")
    assert [one["feed"] for one in found] == ["alice/energy", "alice/energy:roof"]
    here("pause", "alice/energy:roof")
    done = here("sync", "alice/energy", "--from", day(3), "--wait")
    assert "alice/energy:roof is paused: left out" in done.stderr
    here("pause", "alice/energy")
    line = here.refusal("sync", "alice/energy", "--from", day(3), status=1)
    assert "waggle resume alice/energy" in line


def test_a_failure_is_told_with_its_reason(here, world):
    """Exit status 1, how far it came, and why; as JSON the document is there as well."""
    world.bemserver.state.users.clear()
    done = here("sync", "alice/energy", "--from", day(40), "--wait", status=1)
    assert f"alice/energy: failed before {dashed(40)}: source plant: " in done.stderr
    assert only(world).state == "failed"
    (found,) = here.json("sync", "alice/energy", "--from", day(40), "--wait", status=1)
    assert found["state"] == "failed"


def test_what_is_held_is_said(here, world, ledger):
    """With the command that lets it pass."""
    here("sync", "alice/energy", "--from", day(10), "--wait")
    world.measure(world.series, {world.clock.at - 5 * DAY: 1.0})
    told = here("sync", "alice/energy", "--from", day(10), "--wait").stdout
    assert "0 datapoints written, 1 held: `waggle approve alice/energy --all` sends them" in told


def test_wait_ends_when_its_time_is_over(here, awake):
    """With a worker that does nothing the command ends, and says that the work goes on."""
    done = here("sync", "alice/energy", "--from", day(40), "--wait", "--timeout", "0", status=1)
    assert "0 of 41 days; it goes on while a worker runs" in done.stderr
    assert only(awake).state == "working"


@pytest.mark.parametrize(
    ("step", "time"), [("command.turn", 4), ("backfill.fetched", 2), ("backfill.recorded", 2)]
)
def test_ctrl_c_leaves_it_in_the_ledger(here, world, interrupted, step, time):
    """It says how it goes on, holds no lease, and the same command ends what it began."""
    interrupted(step, time)  # behind the first of two chunks
    done = here("sync", "alice/energy", "--from", day(40), "--wait", status=1)
    assert re.search("`waggle up` goes on with it.*`waggle status`", done.stderr)
    assert world.feed().lease_owner is None
    assert only(world).state == "working"
    assert world.values().keys() == {day(0), *(day(ago) for ago in range(10, 41))}
    again = here("sync", "alice/energy", "--from", day(40), "--wait")
    assert "0 of 41 days" not in again.stderr
    assert len(world.values()) == 41


def test_a_terminal_gets_a_bar(here, world, monkeypatch):
    """The same figures, drawn."""
    monkeypatch.setattr("worker.cli.backfill_progress._is_terminal", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    drawn = here("sync", "alice/energy", "--from", day(40), "--wait").stderr
    assert "41/41 days" in drawn
    assert "40 written, 0 held" in drawn


def test_a_preview_of_named_days_sends_nothing(here, world, ledger):
    """Each with its bounds, what the source says and what is at Beeminder; nothing is stored."""
    here("sync", "alice/energy", "--from", day(2), "--to", day(2), "--wait")
    sent = world.values()
    world.measure(world.series, {world.clock.at - 2 * DAY: 30.0})
    span = ("--from", day(40), "--to", day(2), "--preview")
    rows = here.json("sync", "alice/energy", *span)
    assert len(rows) == 39
    last = rows[-1]
    assert (last["daystamp"], last["there"], last["value"]) == (day(2), sent[day(2)], 30.0)
    assert (last["action"], rows[0]["action"], rows[0]["there"]) == ("update", "create", None)
    assert last["starts_at"] == f"{dashed(2)}T00:00:00Z"
    assert last["ends_at"] == f"{dashed(1)}T00:00:00Z"
    told = here("sync", "alice/energy", *span).stdout
    assert f"{dashed(2)} 00:00 → {dashed(1)} 00:00" in told
    assert "(UTC)" in told
    assert "nothing was sent" in told
    assert world.values() == sent
    assert len(all_rows(world, Backfill)) == 1


def test_a_preview_shows_days_in_the_zone_of_the_person(here, world, ledger):
    """With a deadline of +3 h a day of Paris lasts from three to three."""
    world.beeminder.state.change_user("alice", timezone="Europe/Paris")
    world.beeminder.state.change_goal("alice", "energy", deadline=3 * 3600)
    told = here("sync", "alice/energy", "--from", day(3), "--to", day(3), "--preview").stdout
    assert "from → to (Europe/Paris)" in told
    assert f"{dashed(3)} 03:00 → {dashed(2)} 03:00" in told
    with ledger.read() as session:
        assert session.exec(select(Feed)).one().last_synced_at is None
        assert session.exec(select(Datapoint)).all() == []
        assert session.exec(select(Goal)).one().deadline == 3 * 3600
