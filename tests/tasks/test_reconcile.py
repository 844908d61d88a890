"""The ledger and Beeminder agree, or a person is told; what is a person's is never touched."""

import pytest

from db.models import DatapointState, Day, FeedState
from simulators.faults import Fault
from tasks import reconcile
from tasks.comparison import Kind
from tasks.repairs import Repair
from tests.tasks.differences import (
    change_row,
    daily,
    delete,
    edit,
    examine,
    kinds,
    notices,
    point,
    put,
    row,
)
from tests.tasks.scenes import LEASE_OVER, TODAY, YESTERDAY, change_feed
from tests.world import DAY, CrashError, World, crash_at


@pytest.fixture(autouse=True)
def _landed(world: World) -> None:
    world.work()
    assert world.values() == {TODAY: 2.5, YESTERDAY: 7.0}
    world.rung.clear()


def measure_and_sync(world: World, value: float) -> None:
    """The source has another value for yesterday, and the feed is synced."""
    world.measure(world.series, {world.clock.at - DAY: value})
    change_feed(world, due_at=world.clock.at)
    world.work()


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
    for repair in Repair:
        report = examine(world, repair)
        assert kinds(report) == {YESTERDAY: Kind.DELETED}
        assert not report.settled
    assert list(world.values()) == [TODAY]
    assert notices(world) == [("deleted", YESTERDAY)]


def test_today_is_open_whatever_a_person_does(world: World) -> None:
    """Today's edit or deletion is told, and nothing is frozen: the day goes on."""
    edit(world, TODAY, value=4.0)
    assert kinds(examine(world)) == {TODAY: Kind.EDITED}
    delete(world, TODAY)
    assert kinds(examine(world)) == {TODAY: Kind.DELETED}
    assert row(world, TODAY).frozen is None
    assert notices(world) == []


def test_today_is_repaired_when_asked_for(world: World) -> None:
    """Without a yes: nobody's finished day is touched."""
    edit(world, TODAY, value=4.0)
    report = examine(world, Repair.OURS)
    assert report.settled
    assert report.as_json()["differences"][0]["done"] == "repaired"
    assert world.values()[TODAY] == 2.5
    assert row(world, TODAY).state == DatapointState.LANDED
    assert examine(world).told == ()


def test_todays_deletion_is_not_undone_either(world: World) -> None:
    """A deleted point is never restored, also on the open day."""
    delete(world, TODAY)
    assert not examine(world, Repair.EDITS).settled
    assert list(world.values()) == [YESTERDAY]


def test_a_repair_without_a_yes_leaves_an_edit(world: World) -> None:
    """The person's value stays and the report says that a yes is missing."""
    edit(world, YESTERDAY, value=9.0)
    report = examine(world, Repair.OURS)
    assert [one.needs_a_yes for one in report.told] == [True]
    assert not report.settled
    assert world.values()[YESTERDAY] == 9.0


@pytest.mark.parametrize("frozen_before", [False, True])
def test_a_repair_with_a_yes_writes_an_edit_over(world: World, *, frozen_before: bool) -> None:
    """The ledger's value is there again, the notice is gone, and the day is ours again."""
    edit(world, YESTERDAY, value=9.0)
    if frozen_before:
        daily(world)
    report = examine(world, Repair.EDITS)
    assert report.settled
    assert (report.equal, report.as_json()["differences"][0]["done"]) == (2, "repaired")
    assert world.values()[YESTERDAY] == 7.0
    assert row(world, YESTERDAY).frozen is None
    assert notices(world) == []


def test_after_a_yes_the_source_is_asked_again(world: World) -> None:
    """A frozen day was not read: what the source says by now follows at once."""
    edit(world, YESTERDAY, value=6.0)
    daily(world)
    measure_and_sync(world, 8.0)
    assert examine(world, Repair.EDITS).settled
    world.work()
    assert world.values()[YESTERDAY] == 8.0


def test_a_point_that_was_moved_to_another_day_is_an_edit(world: World) -> None:
    """The same value on another day is another fact."""
    edit(world, YESTERDAY, timestamp=int(world.clock.at - 5 * DAY))
    (found,) = examine(world).as_json()["differences"]
    assert (found["daystamp"], found["kind"], found["done"]) == (YESTERDAY, "edited", "frozen")
    assert examine(world, Repair.EDITS).settled
    assert world.values() == {TODAY: 2.5, YESTERDAY: 7.0}


def test_a_zone_that_changed_is_nobodys_edit(world: World) -> None:
    """Points that count for another day since the deadline moved are told, and never frozen."""
    point(world, YESTERDAY).daystamp = TODAY
    report = examine(world)
    assert (kinds(report), row(world, YESTERDAY).frozen) == ({YESTERDAY: Kind.MOVED}, None)
    assert notices(world) == []


def test_a_point_confirmed_but_never_seen_is_missing(world: World) -> None:
    """Beeminder said "duplicate" and does not have it: told, and written by a repair."""
    delete(world, YESTERDAY)
    change_row(world, YESTERDAY, beeminder_id=None)
    report = examine(world)
    assert kinds(report) == {YESTERDAY: Kind.MISSING}
    assert not report.settled
    assert row(world, YESTERDAY).frozen is None
    report = examine(world, Repair.OURS)
    assert report.settled
    assert world.values() == {TODAY: 2.5, YESTERDAY: 7.0}


def test_an_id_that_was_not_known_is_learned(world: World) -> None:
    """From then on a point that is gone was deleted, and is not restored."""
    change_row(world, YESTERDAY, beeminder_id=None)
    assert daily(world)
    assert row(world, YESTERDAY).beeminder_id == point(world, YESTERDAY).id
    delete(world, YESTERDAY)
    assert kinds(examine(world, Repair.OURS)) == {YESTERDAY: Kind.DELETED}


def test_points_of_another_waggle_are_told_and_left(world: World) -> None:
    """Named like ours and not in the ledger: also a confirmed repair leaves them."""
    put(world, "20261101", "wg-0123456789abcdef-20261101", 5.0)
    put(world, "20261101", "ifttt-1", 6.0)
    report = examine(world, Repair.EDITS)
    (found,) = report.as_json()["differences"]
    assert (found["kind"], found["beeminder"], found["ledger"]) == ("foreign", 5.0, None)
    assert (found["feed"], found["done"], report.settled) == ("alice/energy", "left", False)
    assert len(world.beeminder.state.datapoints("alice", "energy")) == 4


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


def test_an_edit_under_a_held_correction_is_the_persons(world: World) -> None:
    """What a yes writes back is what had landed, not what nobody has approved."""
    change_row(world, YESTERDAY, state="held", value=0.0, content_hash="other")
    edit(world, YESTERDAY, value=9.0)
    assert daily(world)
    assert (row(world, YESTERDAY).frozen, row(world, YESTERDAY).value) == ("edited", 7.0)
    assert examine(world, Repair.EDITS).settled
    assert world.values()[YESTERDAY] == 7.0


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


def test_where_the_source_wins_an_edit_is_written_over(world: World) -> None:
    """`on_edit = "source"`: nobody is told, and the outbox sends it again."""
    change_feed(world, options={"on_edit": "source"})
    edit(world, YESTERDAY, value=9.0)
    assert daily(world)
    world.work()
    assert world.values()[YESTERDAY] == 7.0
    assert notices(world) == []


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


@pytest.mark.parametrize("state", [FeedState.PAUSED, FeedState.STOPPED])
def test_what_a_person_stopped_is_looked_at_only_when_asked(world: World, state: str) -> None:
    """The bell leaves it alone; a person may ask, and may have it repaired."""
    change_feed(world, state=state, reason="by a person")
    edit(world, YESTERDAY, value=9.0)
    assert not daily(world)
    assert examine(world, Repair.EDITS).settled
    assert world.values()[YESTERDAY] == 7.0
    assert world.feed().state == state


def test_a_goal_is_due_once_a_day(world: World) -> None:
    """Not before, and not twice."""
    rt = world.runtime()
    assert not reconcile.run(rt)
    world.clock.advance(DAY + 7200)
    assert not reconcile.run(rt)  # the feed itself is due, and goes first
    world.work()
    assert reconcile.run(rt)
    assert not reconcile.run(rt)
    world.clock.advance(DAY / 2)
    world.work()
    assert not reconcile.run(rt)


@pytest.mark.parametrize("status", [500, 429, 401, 404])
def test_what_fails_is_tried_again_in_an_hour(world: World, status: int) -> None:
    """Whatever Beeminder says: the feed stays as it was, and no circle is run in."""
    world.beeminder.faults.add(
        Fault(method="GET", path="datapoints", status=status, body={"errors": "no"}, times=None)
    )
    before = (world.feed().state, world.feed().due_at, world.feed().attempts)
    assert daily(world)
    assert not reconcile.run(world.runtime())
    assert (world.feed().state, world.feed().due_at, world.feed().attempts) == before
    world.beeminder.faults.clear()
    asked = world.beeminder.faults.count("datapoints")
    world.clock.advance(3000)
    assert not reconcile.run(world.runtime())
    assert world.beeminder.faults.count("datapoints") == asked
    assert world.feed().lease_until <= world.clock.at


@pytest.mark.parametrize(
    "step", ["reconcile.claimed", "reconcile.read", "reconcile.recorded", "reconcile.finished"]
)
def test_a_worker_killed_at_any_step_harms_nothing(world: World, step: str) -> None:
    """The lease ends, the next one finds the same, and the person is told once."""
    edit(world, YESTERDAY, value=9.0)
    change_feed(world, reconciled_at=0.0)
    with pytest.raises(CrashError):
        reconcile.run(world.runtime(trace=crash_at(step)))
    world.clock.advance(LEASE_OVER)
    change_feed(world, reconciled_at=0.0)
    assert reconcile.run(world.runtime())
    assert row(world, YESTERDAY).frozen == "edited"
    assert notices(world) == [("edited", YESTERDAY)]
    assert world.values()[YESTERDAY] == 9.0


@pytest.mark.parametrize("step", ["reconcile.recorded", "push.begun", "push.sent"])
def test_a_repair_that_is_killed_is_finished_by_the_outbox(world: World, step: str) -> None:
    """A yes that was given counts: the value goes out once, and is not taken for an edit."""
    edit(world, YESTERDAY, value=9.0)
    daily(world)
    with pytest.raises(CrashError):
        examine(world, Repair.EDITS, world.runtime(trace=crash_at(step)))
    world.clock.advance(LEASE_OVER)
    world.work()
    assert world.values() == {TODAY: 2.5, YESTERDAY: 7.0}
    assert examine(world).told == ()
    assert notices(world) == []


def test_a_feed_that_is_being_synced_is_not_taken(world: World) -> None:
    """One at a time: whoever asks is told to come back."""
    change_feed(world, lease_owner="somebody", lease_until=world.clock.at + 5)
    rt = world.runtime()
    assert reconcile.examine(rt, world.feed().goal_id, repair=Repair.NOTHING) is None
    assert not daily(world)
    assert world.feed().lease_owner == "somebody"


def test_one_busy_feed_keeps_no_lease_of_the_others(world: World) -> None:
    """All feeds of a goal or none."""
    other = world.link("energy", label="roof", series=world.other_series)
    change_feed(world, other, lease_owner="somebody", lease_until=world.clock.at + 5)
    rt = world.runtime()
    assert reconcile.examine(rt, world.feed().goal_id, repair=Repair.NOTHING) is None
    assert world.feed().lease_until == 0.0


def test_whoever_lost_the_lease_writes_nothing(world: World) -> None:
    """A worker that slept while it read changes neither the ledger nor Beeminder."""
    edit(world, YESTERDAY, value=9.0)
    change_feed(world, reconciled_at=0.0)

    def sleep(step: str) -> None:
        if step == "reconcile.read":
            change_feed(world, epoch=99, lease_owner="successor", lease_until=9e9)

    assert reconcile.run(world.runtime(trace=sleep))
    assert row(world, YESTERDAY).frozen is None
    assert notices(world) == []
    assert world.feed().lease_owner == "successor"


def test_what_a_person_decides_meanwhile_counts(world: World) -> None:
    """A row that changed since it was compared is left to the next look."""
    edit(world, YESTERDAY, value=9.0)

    def approve(step: str) -> None:
        if step == "reconcile.read":
            change_row(world, YESTERDAY, content_hash="approved", state="pending", due_at=9e9)

    report = examine(world, rt=world.runtime(trace=approve))
    assert [one.done for one in report.told] == ["left"]
    assert row(world, YESTERDAY).frozen is None


def test_a_pinned_day_is_left_as_it_is(world: World) -> None:
    """Also today, and also by a confirmed repair."""
    with world.ledger.write() as session:
        day = session.get_one(Day, (world.feed_id, TODAY))
        day.pinned = True
        session.add(day)
    edit(world, TODAY, value=4.0)
    assert kinds(examine(world, Repair.EDITS)) == {TODAY: Kind.EDITED}
    assert world.values()[TODAY] == 4.0


def test_a_repair_that_beeminder_refuses_is_told(world: World) -> None:
    """The report says that it failed, and why."""
    edit(world, TODAY, value=4.0)
    world.beeminder.faults.add(
        Fault(method="POST", path="datapoints", status=422, body={"errors": "frozen"}, times=None)
    )
    report = examine(world, Repair.OURS)
    assert not report.settled
    (one,) = [one for one in report.told if one.finding.kind == Kind.EDITED]
    assert one.done == "failed"
    assert "frozen" in (one.why or "")
