"""The ledger and Beeminder agree, or a person is told; a person's days are left alone."""

from datetime import timedelta

import pytest

from db.models_points import Datapoint, Sending
from simulators.faults import Fault
from tasks import days
from tasks.comparison import Kind
from tasks.repairs import Repair
from tests.tasks.differences import (
    change_row,
    daily,
    delete,
    edit,
    examine,
    kinds,
    measure_and_sync,
    notices,
    point,
    put,
    row,
)
from tests.tasks.scenes import TODAY, YESTERDAY, change_feed
from tests.world import DAY, World

pytestmark = pytest.mark.usefixtures("landed")


def test_what_is_there_is_equal(world: World) -> None:
    """Nothing differs, nothing is written, and the schedule of the feed stays."""
    before = (world.feed().due_at, world.feed().state, len(world.beeminder.state.history))
    report = examine(world)
    assert (report.equal, report.told, report.settled) == (2, (), True)
    assert report.as_json() == {
        "goal": "alice/energy",
        "equal": 2,
        "differences": [],
        "waiting": [],
    }
    after = (world.feed().due_at, world.feed().state, len(world.beeminder.state.history))
    assert after == before
    assert world.feed().lease_until == 0.0


def test_a_changed_comment_is_no_difference(world: World) -> None:
    """A person may annotate our points."""
    edit(world, YESTERDAY, comment="holidays")
    assert examine(world).settled
    assert notices(world) == []


def test_an_edited_finished_day_is_told_once_and_left_alone(world: World) -> None:
    """Yesterday by a person's hand: named with both values, frozen, one notice however often."""
    edit(world, YESTERDAY, value=9.0)
    for done in ("frozen", "left", "left"):
        report = examine(world)
        (found,) = report.as_json()["differences"]
        assert (found["daystamp"], found["kind"], found["done"]) == (YESTERDAY, "edited", done)
        assert (found["beeminder"], found["ledger"]) == (9.0, 7.0)
        assert not report.settled
    assert (row(world, YESTERDAY).frozen, row(world, YESTERDAY).state) == ("edited", "withdrawn")
    assert notices(world) == [("edited", YESTERDAY)]
    assert world.values()[YESTERDAY] == 9.0


def test_the_daily_look_freezes_what_a_person_edited(world: World) -> None:
    """Nobody has to ask: the bell is enough."""
    edit(world, YESTERDAY, value=9.0)
    assert daily(world)
    assert row(world, YESTERDAY).frozen == "edited"
    assert notices(world) == [("edited", YESTERDAY)]


def test_a_source_that_changes_later_does_not_undo_an_edit(world: World) -> None:
    """Edited, reconciled, and then the source corrects itself: the person's value stays."""
    edit(world, YESTERDAY, value=9.0)
    daily(world)
    measure_and_sync(world, 8.0)
    assert world.values()[YESTERDAY] == 9.0


def test_a_deleted_point_stays_deleted(world: World) -> None:
    """Not by the daily look, not by a sync with another value, not by a confirmed repair."""
    delete(world, YESTERDAY)
    daily(world)
    measure_and_sync(world, 8.0)
    for repair in (Repair.NOTHING, Repair.OURS):
        report = examine(world, repair)
        assert kinds(report) == {YESTERDAY: Kind.DELETED}
        assert not report.settled
    assert notices(world) == [("deleted", YESTERDAY)]
    examine(world, Repair.EDITS)
    measure_and_sync(world, 9.0)
    assert list(world.values()) == [TODAY]


@pytest.mark.parametrize("told_before", [True, False])
def test_a_deletion_that_its_owner_meant_is_settled(world: World, *, told_before: bool) -> None:
    """Said once with a confirmed repair, it makes no later look red, and stays as it is."""
    delete(world, YESTERDAY)
    if told_before:
        daily(world)

    report = examine(world, Repair.EDITS)

    assert not report.settled  # this once it is told
    assert report.as_json()["differences"][0]["done"] == "accepted"
    assert notices(world) == []
    later = examine(world)
    assert (later.settled, kinds(later)) == (True, {})
    measure_and_sync(world, 8.0)
    assert row(world, YESTERDAY).frozen == "deleted"
    assert list(world.values()) == [TODAY]


def test_today_is_open_whatever_a_person_does(world: World) -> None:
    """Today's edit or deletion is told, and nothing is frozen: the day goes on."""
    edit(world, TODAY, value=4.0)
    assert kinds(examine(world)) == {TODAY: Kind.EDITED}
    delete(world, TODAY)
    assert kinds(examine(world)) == {TODAY: Kind.DELETED}
    assert row(world, TODAY).frozen is None
    assert notices(world) == []


def test_a_zone_that_changed_is_nobodys_edit(world: World) -> None:
    """Points that count for another day since the deadline moved are told, and never frozen."""
    point(world, YESTERDAY).daystamp = TODAY
    report = examine(world)
    assert (kinds(report), row(world, YESTERDAY).frozen) == ({YESTERDAY: Kind.MOVED}, None)
    assert notices(world) == []


def test_an_id_that_was_not_known_is_learned(world: World) -> None:
    """From then on a point that is gone was deleted, and is not restored."""
    change_row(world, YESTERDAY, beeminder_id=None)
    assert daily(world)
    assert row(world, YESTERDAY).beeminder_id == point(world, YESTERDAY).id
    delete(world, YESTERDAY)
    assert kinds(examine(world, Repair.OURS)) == {YESTERDAY: Kind.DELETED}


def test_what_waits_is_shown_and_is_no_difference(world: World) -> None:
    """A held correction and a pending point: both values, exit status 0."""
    change_row(world, YESTERDAY, state="held", value=0.0, content_hash="other")
    change_row(world, TODAY, state="pending", value=3.0, content_hash="other", due_at=9e9)
    report = examine(world, Repair.EDITS)
    assert kinds(report) == {TODAY: Kind.PENDING, YESTERDAY: Kind.HELD}
    waiting = report.as_json()["waiting"]
    assert [(one["beeminder"], one["ledger"]) for one in waiting] == [(7.0, 0.0), (2.5, 3.0)]
    assert report.settled
    assert world.values() == {TODAY: 2.5, YESTERDAY: 7.0}


def test_a_push_without_an_answer_may_be_either(world: World) -> None:
    """Sent and never answered: the old value and the new one are both nobody's edit."""
    change_row(
        world, YESTERDAY, state="pending", value=8.0, content_hash="x", landed_hash=None,
        sent_value=8.0, due_at=9e9,
    )  # fmt: skip
    for value in (7.0, 8.0):
        edit(world, YESTERDAY, value=value)
        assert kinds(examine(world)) == {YESTERDAY: Kind.PENDING}
    edit(world, YESTERDAY, value=7.5)
    assert kinds(examine(world)) == {YESTERDAY: Kind.EDITED}


def test_a_goal_that_is_empty_all_at_once_freezes_nothing(world: World) -> None:
    """A server that answers with nothing must not stop every day of a feed for ever."""
    for ago in range(2, 5):
        world.measure(world.series, {world.clock.at - ago * DAY: 1.0 + ago})
    change_feed(world, due_at=world.clock.at)
    rt = world.runtime()
    rt.options = rt.options.__class__(
        beeminder_url=world.beeminder_server.url, beeminder_rate=0, lookback_days=4
    )
    world.work(rt)
    assert len(world.values()) == 5
    world.beeminder.faults.add(
        Fault(method="GET", path="datapoints", status=200, body=[], times=None)
    )
    assert set(kinds(examine(world)).values()) == {Kind.DELETED}
    world.beeminder.faults.clear()
    assert notices(world) == []
    assert examine(world).told == ()


def test_a_point_that_comes_back_is_ours_again(world: World) -> None:
    """Called deleted by mistake, or put back by its owner: it is kept up to date again."""
    held = point(world, YESTERDAY)
    delete(world, YESTERDAY)
    daily(world)
    world.beeminder.state.goal("alice", "energy").datapoints[held.id] = held
    report = examine(world)
    assert (report.equal, report.told) == (2, ())
    assert (row(world, YESTERDAY).frozen, row(world, YESTERDAY).state) == (None, "landed")
    assert notices(world) == []
    measure_and_sync(world, 8.0)
    assert world.values()[YESTERDAY] == 8.0


def test_a_thousand_points_are_compared_by_pages(world: World) -> None:
    """Three years of days: all of them equal, and the one that a person deleted is found."""
    stamps = [days.stamp(days.parse(YESTERDAY) - timedelta(days=ago)) for ago in range(1, 1000)]
    for stamp in stamps:
        put(world, stamp, f"wg-{stamp}", 1.0)
    with world.ledger.write() as session:
        session.add_all(
            Datapoint(
                goal_id=world.feed().goal_id,
                feed_id=world.feed_id,
                requestid=held.requestid or "",
                daystamp=held.daystamp,
                value=1.0,
                content_hash="h",
                landed_hash="h",
                landed_value=1.0,
                state="landed",
                beeminder_id=held.id,
            )
            for held in world.points()
            if held.daystamp in stamps
        )
    assert examine(world).equal == 1001
    delete(world, stamps[700])
    report = examine(world)
    assert (report.equal, kinds(report)) == (1000, {stamps[700]: Kind.DELETED})


def test_a_late_push_of_ours_is_written_over_by_itself(world: World) -> None:
    """A killed worker's older value that came after all is nobody's edit: no notice, our value."""
    late = row(world, YESTERDAY)
    with world.ledger.write() as session:
        session.add(
            Sending(datapoint_id=late.id or 0, epoch=1, value=6.0, sent_at=world.clock.at - 5)
        )
    edit(world, YESTERDAY, value=6.0)
    assert daily(world)
    assert notices(world) == []
    world.work()
    assert world.values()[YESTERDAY] == 7.0


def test_who_puts_it_back_gives_the_day_back(world: World) -> None:
    """An edit that was undone by its owner: the notice goes, and corrections come again."""
    edit(world, YESTERDAY, value=9.0)
    daily(world)
    edit(world, YESTERDAY, value=7.0)
    assert examine(world).told == ()
    assert (row(world, YESTERDAY).frozen, notices(world)) == (None, [])
    measure_and_sync(world, 8.0)
    assert world.values()[YESTERDAY] == 8.0
