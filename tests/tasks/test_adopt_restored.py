"""An old backup is restored: what happened since is recognised, nothing doubled, no edit lost.

Each test: two days land, a backup is made, more happens, the backup is put back.
"""

from pathlib import Path

import pytest
from sqlmodel import select

from db import approvals, backup_file, backups, deaths, restoring
from db.models import Feed
from db.models_points import Datapoint
from db.reconciling import PERIOD
from simulators.faults import Fault
from tasks import corrections, deliver, reconcile
from tasks.reconcile import NotLookedAtError
from tasks.repairs import Repair
from tests.tasks.measured import delete, edit, look, ours, row, say
from tests.tasks.scenes import TODAY, YESTERDAY, change_feed
from tests.world import KEY, World

BEFORE = {YESTERDAY: 5.0, TODAY: 1.0}
TOMORROW = "20261121"
DAY = 86400.0


@pytest.fixture
def backup(world: World, tmp_path: Path) -> Path:
    """Yesterday and today are on the goal when the backup is made."""
    say(world, BEFORE)
    world.work()
    assert world.values() == BEFORE
    return back_up(world, tmp_path)


def back_up(world: World, folder: Path) -> Path:
    """A backup of this moment."""
    path = folder / "backup.zip"
    backups.write(world.ledger, path, version="1", now=world.clock.at)
    return path


def restore(world: World, path: Path) -> None:
    """The ledger is what it was then."""
    with backup_file.reading(path) as found:
        list(found.verify())
        restoring.load(world.ledger, found, now=world.clock.at, keys=[KEY], replace=True)


def history(world: World) -> int:
    """How often anything was written to the goal."""
    return len(world.beeminder.state.history)


def test_nothing_that_was_sent_since_is_sent_again(world: World, backup: Path) -> None:
    """A new day, and a new value of one that the backup knows: both are recognised."""
    world.clock.advance(DAY)
    now = {YESTERDAY: 5.0, TODAY: 3.0, TOMORROW: 4.0}
    say(world, now)
    look(world)
    assert world.values() == now
    before = history(world)

    restore(world, backup)
    world.work()

    assert world.values() == now
    assert history(world) == before
    for stamp, value in now.items():
        assert (row(world, stamp).state, row(world, stamp).landed_value) == ("landed", value)
    assert not world.feed().restored


def test_what_a_person_edited_since_is_held_and_not_written_over(
    world: World, backup: Path
) -> None:
    """A day that the backup knows, and one that it does not: the source's value waits for a yes."""
    world.clock.advance(DAY)
    say(world, BEFORE | {TODAY: 3.0, TOMORROW: 4.0})
    look(world)
    world.clock.advance(DAY)
    for stamp in (TODAY, TOMORROW):
        edit(world, stamp, value=9.0)
    before = ours(world)

    restore(world, backup)
    world.work()
    look(world)

    assert ours(world) == before
    assert {stamp: row(world, stamp).state for stamp in (TODAY, TOMORROW)} == {
        TODAY: "held",
        TOMORROW: "held",
    }
    assert "found at Beeminder" in (row(world, TODAY).error or "")


def test_what_a_person_deleted_since_stays_deleted(world: World, backup: Path) -> None:
    """A finished day that the backup knows, also when its value changes at the source."""
    world.clock.advance(DAY)
    delete(world, YESTERDAY)

    restore(world, backup)
    world.work()
    say(world, BEFORE | {YESTERDAY: 6.0})
    look(world)

    assert YESTERDAY not in world.values()
    assert row(world, YESTERDAY).frozen == "deleted"


def test_today_goes_on(world: World, backup: Path) -> None:
    """The day that runs is written as always."""
    say(world, BEFORE | {TODAY: 2.0})
    look(world)
    restore(world, backup)
    say(world, BEFORE | {TODAY: 2.5})
    world.work()
    assert world.values() == BEFORE | {TODAY: 2.5}


def test_what_waited_in_the_backup_does_not_go_over_what_came_later(
    world: World, tmp_path: Path
) -> None:
    """A push failed when the backup was made, landed later, and was edited: it is held."""
    say(world, BEFORE)
    world.beeminder.faults.add(Fault(method="POST", path="datapoints", status=503, times=None))
    world.work()
    assert row(world, YESTERDAY).state == "pending"
    path = back_up(world, tmp_path)
    world.beeminder.faults.clear()
    look(world)
    assert world.values() == BEFORE
    world.clock.advance(DAY)
    edit(world, YESTERDAY, value=9.0)

    restore(world, path)
    world.bemserver.faults.add(Fault(status=503, times=None))  # no sync gets so far as to look
    world.work()
    world.clock.advance(DAY / 2)
    assert not deliver.run(world.runtime())
    assert world.values()[YESTERDAY] == 9.0
    world.bemserver.faults.clear()
    world.clock.advance(DAY / 2)
    world.work()

    assert world.values()[YESTERDAY] == 9.0
    assert row(world, YESTERDAY).state == "held"


def test_an_approval_of_before_is_asked_for_again(world: World, backup: Path) -> None:
    """It was given for another value than the one that is there now."""
    world.clock.advance(DAY)
    say(world, BEFORE | {YESTERDAY: 3.0})
    look(world)
    assert row(world, YESTERDAY).state == "held"
    with world.ledger.write() as session:
        approvals.approve(session, [world.feed_id], daystamp=None, now=world.clock.at)
    backup.unlink()
    path = back_up(world, backup.parent)
    edit(world, YESTERDAY, value=9.0)

    restore(world, path)
    world.work()

    assert world.values()[YESTERDAY] == 9.0
    assert row(world, YESTERDAY).error == corrections.ADOPTED


def test_no_comparison_takes_what_we_sent_for_an_edit(world: World, backup: Path) -> None:
    """Neither the daily one nor a person's, before the goal was looked at."""
    say(world, BEFORE | {TODAY: 2.0})
    look(world)
    restore(world, backup)
    change_feed(world, due_at=world.clock.at + 10 * PERIOD)
    world.clock.advance(3 * PERIOD)
    assert not reconcile.run(world.runtime())
    with world.reading() as session:
        goal_id = session.exec(select(Feed)).one().goal_id
    with pytest.raises(NotLookedAtError, match="a sync looks first"):
        reconcile.examine(world.runtime(), goal_id, repair=Repair.OURS)
    assert world.values()[TODAY] == 2.0
    change_feed(world, due_at=world.clock.at)
    world.work()
    report = reconcile.examine(world.runtime(), goal_id, repair=Repair.NOTHING)
    assert report is not None
    assert report.differences == []


def test_a_look_that_fails_is_made_again(world: World, backup: Path) -> None:
    """Beeminder does not show its points: nothing is written before it does."""
    restore(world, backup)
    say(world, BEFORE | {TODAY: 2.0})
    world.beeminder.faults.add(Fault(method="GET", path="datapoints", status=500, times=2))
    before = history(world)
    world.work()
    assert history(world) == before
    assert world.feed().restored
    look(world)
    look(world)
    assert world.values()[TODAY] == 2.0


def test_a_callback_is_answered_after_the_look(world: World, backup: Path) -> None:
    """One that came before the backup, and was not answered, is answered by the first sync."""
    restore(world, backup)
    event_id = world.call_back()
    world.work()
    assert world.event(event_id).state == "done"
    with world.ledger.write() as session:
        assert deaths.bury(session, world.clock.at + DAY) == []


def test_points_of_before_the_look_back_are_known(world: World, backup: Path) -> None:
    """They were sent after the backup and long ago: a backfill does not double them."""
    world.clock.advance(DAY)
    say(world, BEFORE | {TOMORROW: 4.0})
    look(world)
    world.clock.advance(20 * DAY)
    restore(world, backup)
    world.work()
    with world.reading() as session:
        known = {found.daystamp for found in session.exec(select(Datapoint))}
    assert known >= {YESTERDAY, TODAY, TOMORROW}
