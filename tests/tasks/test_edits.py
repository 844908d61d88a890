"""What a person changed or deleted at Beeminder stays theirs, and nothing of it is ever undone."""

import pytest

from db import approvals
from db.models import Notice
from db.models_points import Day
from db.states import Lane
from simulators.faults import Fault
from tasks import sync
from tests.tasks.measured import delete, edit, look, morning, ours, row, say
from tests.tasks.scenes import TODAY, YESTERDAY, all_rows, change_feed
from tests.world import World

BEFORE = {YESTERDAY: 5.0, TODAY: 1.0}


def begin(world: World) -> None:
    """Yesterday and today are on the goal."""
    say(world, BEFORE)
    world.work()
    assert world.values() == BEFORE


def told(world: World, kind: str) -> list[Notice]:
    """What a person was told of this kind."""
    return [notice for notice in all_rows(world, Notice) if notice.kind == kind]


def better(world: World, yesterday: float = 6.0, today: float = 2.0) -> None:
    """The source changes for the better, and somebody asks."""
    say(world, {YESTERDAY: yesterday, TODAY: today})
    look(world)


def test_an_edited_day_is_frozen(world: World) -> None:
    """Shown with both values, told once, never written again; today goes on."""
    begin(world)
    edit(world, YESTERDAY, value=9.0)

    better(world)
    frozen = row(world, YESTERDAY)
    assert (frozen.state, frozen.frozen, frozen.landed_value) == ("withdrawn", "edited", 9.0)
    for changed in (7.0, 8.0, 9.5):
        better(world, changed, changed)

    assert world.values() == {YESTERDAY: 9.0, TODAY: 9.5}
    (notice,) = told(world, "edited")
    assert "2026-11-19" in notice.message
    assert "9" in notice.message
    assert world.feed().state == "active"


def test_the_source_wins_where_a_person_wants_that(world: World) -> None:
    """With `on_edit = "source"` the edit is written over, and nobody is told of it."""
    begin(world)
    change_feed(world, options={"on_edit": "source"})
    edit(world, YESTERDAY, value=5.5)

    better(world)

    assert world.values() == {YESTERDAY: 6.0, TODAY: 2.0}
    assert told(world, "edited") == []


def test_a_frozen_day_is_written_again_when_the_person_changes_their_mind(world: World) -> None:
    """Frozen first, `on_edit = "source"` later: the next change of the source wins."""
    begin(world)
    edit(world, YESTERDAY, value=5.5)
    better(world)
    assert world.values()[YESTERDAY] == 5.5
    change_feed(world, options={"on_edit": "source"})

    better(world, 7.0)

    assert world.values()[YESTERDAY] == 7.0
    assert row(world, YESTERDAY).frozen is None


@pytest.mark.parametrize("on_edit", ["keep", "source"])
def test_a_deleted_point_stays_deleted(world: World, on_edit: str) -> None:
    """Whatever the source says later, and whoever wins over edits."""
    begin(world)
    change_feed(world, options={"on_edit": on_edit})
    delete(world, YESTERDAY)

    better(world)
    for changed in (7.0, 8.0):
        better(world, changed, changed)

    assert world.values() == {TODAY: 8.0}
    assert row(world, YESTERDAY).frozen == "deleted"
    assert len(told(world, "deleted")) == 1


def test_an_unchanged_day_is_not_even_looked_at(world: World) -> None:
    """An edit is left alone because nothing is written; no request is spent on it."""
    begin(world)
    edit(world, YESTERDAY, value=9.0)
    asked = world.beeminder.faults.count("datapoints", "GET")

    say(world, {YESTERDAY: 5.0, TODAY: 2.0})
    look(world)

    assert world.values() == {YESTERDAY: 9.0, TODAY: 2.0}
    assert world.beeminder.faults.count("datapoints", "GET") == asked


def test_another_comment_is_no_edit(world: World) -> None:
    """The words are theirs until the value changes; the value goes on."""
    begin(world)
    edit(world, YESTERDAY, comment="the day I forgot the lights")

    better(world)

    assert world.values() == {YESTERDAY: 6.0, TODAY: 2.0}
    assert row(world, YESTERDAY).frozen is None


def test_an_edit_of_today_is_written_over_by_the_next_change(world: World) -> None:
    """Today goes on without a read; only what nobody changed at the source stays."""
    begin(world)
    edit(world, TODAY, value=9.0)
    look(world)
    assert world.values()[TODAY] == 9.0

    better(world, yesterday=5.0)

    assert world.values() == {YESTERDAY: 5.0, TODAY: 2.0}
    assert told(world, "edited") == []


@pytest.mark.parametrize("daystamp", [YESTERDAY, TODAY])
def test_a_pinned_day_is_left(world: World, daystamp: str) -> None:
    """Also today: a person says that this value stays, until they unpin it."""
    begin(world)
    edit(world, daystamp, value=9.0)

    def pin(*, pinned: bool) -> None:
        with world.ledger.write() as session:
            day = session.get_one(Day, (world.feed_id, daystamp))
            bounds = (day.starts_at, day.ends_at)
            approvals.pin(
                session,
                world.feed_id,
                daystamp=daystamp,
                pinned=pinned,
                bounds=bounds,
                now=world.clock.at,
            )

    pin(pinned=True)
    better(world)
    assert world.values() == {YESTERDAY: 6.0, TODAY: 2.0} | {daystamp: 9.0}

    pin(pinned=False)
    look(world)
    after = 9.0 if daystamp == YESTERDAY else 2.0  # yesterday's edit is seen now, and frozen
    assert world.values()[daystamp] == after


def test_an_approval_does_not_overrule_an_edit(world: World) -> None:
    """A person approves 3 instead of 5, and has made it 9 in the meantime: 9 stays."""
    begin(world)
    better(world, yesterday=3.0)
    assert row(world, YESTERDAY).state == "held"
    edit(world, YESTERDAY, value=9.0)
    writes = ours(world)
    with world.ledger.write() as session:
        approvals.approve(session, [world.feed_id], daystamp=YESTERDAY, now=world.clock.at)

    world.work()
    look(world)

    assert world.values()[YESTERDAY] == 9.0
    assert ours(world) == writes
    assert row(world, YESTERDAY).frozen == "edited"


@pytest.mark.parametrize("action", ["lose_reply", "reset", "status"])
def test_our_own_unanswered_write_is_no_edit(world: World, action: str) -> None:
    """A push of yesterday's value had no answer, and it may have landed: that was us."""
    begin(world)
    fault = Fault(action=action, method="POST", path="datapoints", status=500, times=1)
    world.beeminder.faults.add(fault)
    better(world)
    assert fault.hits == 1

    better(world, yesterday=7.0)
    look(world)

    assert world.values() == {YESTERDAY: 7.0, TODAY: 2.0}
    assert row(world, YESTERDAY).frozen is None


def test_an_older_unanswered_write_of_ours_is_no_edit_either(world: World) -> None:
    """The first landed without an answer, the second was lost on the way: there is the first."""
    begin(world)
    for yesterday, action in ((6.0, "lose_reply"), (7.0, "reset")):
        # The batch has this trouble, and so has what is tried after it.
        fault = Fault(action=action, method="POST", path="datapoints", times=1)
        world.beeminder.faults.add(fault)
        say(world, {YESTERDAY: yesterday, TODAY: 1.0})
        world.clock.advance(20)
        change_feed(world, due_at=world.clock.at)
        sync.run(world.runtime(), Lane.BULK)
        assert fault.hits == 1
    assert world.values()[YESTERDAY] == 6.0

    better(world, yesterday=8.0)

    assert world.values()[YESTERDAY] == 8.0
    assert row(world, YESTERDAY).frozen is None


def test_an_edit_to_a_value_of_ours_is_no_edit(world: World) -> None:
    """Whoever types what we wrote ourselves has not disagreed with us."""
    begin(world)
    better(world)
    edit(world, YESTERDAY, value=9.0)
    edit(world, YESTERDAY, value=6.0)

    better(world, yesterday=7.0)

    assert world.values()[YESTERDAY] == 7.0


def test_a_deletion_before_the_answer_of_the_first_push_is_not_guessed(world: World) -> None:
    """Nothing is known to have been there: the point is written, since it may never have landed."""
    say(world, BEFORE)
    world.beeminder.faults.add(Fault(method="POST", path="datapoints", status=500, times=1))
    world.work()
    assert world.values() == {}

    look(world)

    assert world.values() == BEFORE


def test_a_person_who_moves_our_point_to_another_day_is_respected(world: World) -> None:
    """Yesterday's point was moved to the day before: its value is not written over there."""
    begin(world)
    edit(world, YESTERDAY, timestamp=int(morning("20261118")), value=4.0)

    better(world)

    moved = world.beeminder.state.datapoints("alice", "energy")[0]
    assert (moved.daystamp, moved.value) == ("20261118", 4.0)
    assert row(world, YESTERDAY).frozen == "edited"


def test_many_changed_days_are_read_at_once(world: World) -> None:
    """However many finished days change, one request tells what is there."""
    say(world, {"20261118": 4.0} | BEFORE)
    world.work()
    say(world, {"20261118": 5.0, YESTERDAY: 6.0, TODAY: 2.0})
    asked = world.beeminder.faults.count("datapoints", "GET")

    look(world)

    assert world.values() == {"20261118": 5.0, YESTERDAY: 6.0, TODAY: 2.0}
    assert world.beeminder.faults.count("datapoints", "GET") == asked + 1


def test_a_worker_without_its_lease_freezes_nothing(world: World) -> None:
    """It read an edit, and somebody else took the feed meanwhile: that one decides."""
    begin(world)
    edit(world, YESTERDAY, value=9.0)
    say(world, {YESTERDAY: 6.0, TODAY: 2.0})
    world.clock.advance(700)

    def trace(step: str) -> None:
        if step == "recorded":
            change_feed(world, epoch=world.feed().epoch + 1)

    world.call_back()
    sync.run(world.runtime(trace=trace), Lane.BULK)

    assert row(world, YESTERDAY).frozen is None
    assert told(world, "edited") == []
    assert world.values() == {YESTERDAY: 9.0, TODAY: 1.0}
