"""A count that comes back under another label, or after another version: what is known stays so."""

import pytest

from db import approvals, outbox, pauses
from db.states import FeedState
from tests.tasks.differences import daily
from tests.tasks.measured import delete, edit, look, row, say
from tests.tasks.scenes import TODAY, YESTERDAY, change_feed
from tests.tasks.test_adopt import begin
from tests.world import World

BEFORE = {YESTERDAY: 5.0, TODAY: 1.0}


def relabel(world: World, **more: object) -> int:
    """The file calls the feed energy:main now, and the old one is pruned; its id."""
    with world.ledger.write() as session:
        ids, now = [world.feed_id], world.clock.at
        pauses.halt(session, ids, state=FeedState.STOPPED, reason="not in the file", now=now)
        outbox.withdraw(session, ids)
    return world.link("energy", label="main", **more)


@pytest.mark.parametrize("corrections", ["careful", "always"])
@pytest.mark.parametrize("how", ["edited", "deleted"])
def test_a_persons_day_stays_theirs_under_another_label(
    world: World, corrections: str, how: str
) -> None:
    """It was frozen before the feed was renamed in the file: it is not asked about, nor written."""
    say(world, BEFORE)
    world.work()
    if how == "edited":
        edit(world, YESTERDAY, value=9.0)
    else:
        delete(world, YESTERDAY)
    assert daily(world)
    assert row(world, YESTERDAY).frozen == how
    there = world.values()

    feed_id = relabel(world, options={"corrections": corrections})
    say(world, {YESTERDAY: 6.0, TODAY: 1.0})
    world.work()
    look(world)

    assert world.values() == there
    found = row(world, YESTERDAY)
    assert (found.frozen, found.state, found.feed_id) == (how, "withdrawn", feed_id)


def test_a_dropped_correction_stays_dropped_under_another_label(world: World) -> None:
    """The same content is not asked about again."""
    say(world, BEFORE)
    world.work()
    say(world, {YESTERDAY: 3.0, TODAY: 1.0})
    look(world)
    with world.ledger.write() as session:
        assert approvals.drop(session, [world.feed_id], daystamp=None, now=world.clock.at)

    relabel(world)
    look(world)

    assert row(world, YESTERDAY).state == "landed"
    assert world.values() == BEFORE


def test_a_deleted_day_stays_deleted_when_a_parameter_changes(world: World) -> None:
    """Also one that this ledger has found and never sent."""
    begin(world)
    world.work()
    delete(world, YESTERDAY)
    assert daily(world)
    say(world, {YESTERDAY: 6.0, TODAY: 1.0}, series=world.other_series)
    params = {"timeseries": world.other_series, "data_state": "Clean"}
    change_feed(world, params=params, options={"corrections": "always"})

    look(world)

    assert world.values() == {TODAY: 1.0}


@pytest.mark.parametrize(
    "unknown",
    [
        {"state": "pending", "value": 3.0, "content_hash": "x"},
        {"state": "withdrawn", "value": 3.0, "content_hash": ""},
        {"state": "rejected", "value": 3.0, "content_hash": "x"},
    ],
)
def test_what_an_earlier_version_did_not_know_is_learned_before_it_is_judged(
    world: World, unknown: dict[str, object]
) -> None:
    """It remembered no values: what is there is looked up, and not made worse unasked."""
    say(world, BEFORE)
    world.work()
    forgotten = {"landed_value": None, "sent_value": None, "sent_at": 1.0}
    with world.ledger.write() as session:
        point = session.get_one(type(row(world, YESTERDAY)), row(world, YESTERDAY).id)
        for name, value in (forgotten | unknown).items():
            setattr(point, name, value)
        session.add(point)
    change_feed(world, cursor={}, due_at=world.clock.at + 9999)  # a cursor without a shape

    say(world, {YESTERDAY: 4.0, TODAY: 1.0})
    look(world)

    assert world.values() == BEFORE
    found = row(world, YESTERDAY)
    assert (found.state, found.landed_value, found.value) == ("held", 5.0, 4.0)
