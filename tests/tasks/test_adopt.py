"""A lost ledger: what is at Beeminder is recognised, nothing is written that is there already."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import delete as delete_rows

from db.models import Notice
from db.models_points import Datapoint, Day, Sending
from simulators import beeminder_datapoints
from simulators.faults import Fault
from tests.tasks.measured import edit, look, ours, point, row, say, with_options
from tests.tasks.scenes import TODAY, YESTERDAY, all_rows, change_feed
from tests.world import World

BEFORE = {YESTERDAY: 5.0, TODAY: 1.0}


def lose_ledger(world: World) -> None:
    """The memory of the feed is gone; what `apply` makes anew has the same settings."""
    with world.ledger.write() as session:
        for table in (Sending, Datapoint, Day, Notice):
            session.connection().execute(delete_rows(table))
    change_feed(
        world,
        cursor={},
        digest=None,
        epoch=0,
        last_synced_at=None,
        due_at=world.clock.at,
    )


def begin(world: World, **goal: object) -> None:
    """Yesterday and today are on the goal, and the ledger is lost."""
    world.beeminder.state.change_goal("alice", "energy", **goal)
    say(world, BEFORE)
    world.work()
    assert world.values() == BEFORE
    lose_ledger(world)


def test_nothing_is_written_that_is_there(world: World) -> None:
    """The history at Beeminder does not grow; the rows know their points by Beeminder's ids."""
    begin(world)
    history = len(world.beeminder.state.history)
    ids = {found.requestid: found.id for found in world.points()}

    world.work()

    assert len(world.beeminder.state.history) == history
    rows = all_rows(world, Datapoint)
    assert {found.requestid: found.beeminder_id for found in rows} == ids
    assert {found.state for found in rows} == {"landed"}
    assert {found.daystamp: found.landed_value for found in rows} == BEFORE
    assert all(found.sent_at is None for found in rows)
    assert all(found.landed_hash == found.content_hash for found in rows)


@pytest.mark.parametrize("value", [3.0, 6.0, 0.0])
def test_a_finished_day_that_differs_is_held(world: World, value: float) -> None:
    """For better or worse: nobody knows whether a person made what is there. Today goes on."""
    begin(world)
    say(world, {YESTERDAY: value, TODAY: 2.0})

    world.work()

    assert world.values() == {YESTERDAY: 5.0, TODAY: 2.0}
    assert row(world, YESTERDAY).state == "held"
    look(world)
    assert world.values() == {YESTERDAY: 5.0, TODAY: 2.0}


def test_an_edit_outlives_the_ledger(world: World) -> None:
    """A person changed yesterday, then the ledger was lost: the change is asked about, not lost."""
    begin(world)
    edit(world, YESTERDAY, value=9.0)

    world.work()
    look(world)

    assert world.values() == {YESTERDAY: 9.0, TODAY: 1.0}
    assert row(world, YESTERDAY).state == "held"


def test_a_change_after_the_adoption_is_an_ordinary_one(world: World) -> None:
    """What was found and confirmed by the source is ours: later changes for the better are sent."""
    begin(world)
    world.work()
    say(world, {YESTERDAY: 5.0, TODAY: 2.0})
    look(world)
    say(world, {YESTERDAY: 5.0, TODAY: 3.0})
    look(world)
    assert world.values() == {YESTERDAY: 5.0, TODAY: 3.0}
    assert all(counts.get("created") == 1 for counts in counts_of(world).values())


def counts_of(world: World) -> dict[str, dict[str, int]]:
    """How often each point was written."""
    return world.beeminder.state.write_counts("alice", "energy")


def test_old_days_are_remembered_too(world: World) -> None:
    """Points of before the look-back are written down: a backfill will not double them."""
    begin(world)
    world.clock.advance(10 * 86400)
    change_feed(world, due_at=world.clock.at)
    say(world, BEFORE | {"20261130": 4.0})

    world.work()

    assert {found.daystamp for found in all_rows(world, Datapoint)} >= {YESTERDAY, TODAY}
    assert world.values() == BEFORE | {"20261130": 4.0}


def test_points_that_are_not_ours_are_not_adopted(world: World) -> None:
    """A person's, another program's, and those of another feed of ours: no rows of this feed."""
    goal = world.beeminder.state.goal("alice", "energy")
    for requestid in (None, "ifttt-1", "wg-ffffffffffffffff-20261119"):
        fields = {"value": 7.0, "daystamp": YESTERDAY, "requestid": requestid}
        beeminder_datapoints.upsert(world.beeminder.state, goal, fields, via=None)
    begin_with = {p.id for p in goal.datapoints.values()}
    say(world, BEFORE)

    world.work()

    rows = all_rows(world, Datapoint)
    assert {found.daystamp: found.value for found in rows} == BEFORE
    assert not begin_with & {found.beeminder_id for found in rows}


def test_a_look_that_fails_writes_nothing(world: World) -> None:
    """Beeminder does not show its points: rather late than doubled or wrong."""
    begin(world)
    say(world, {YESTERDAY: 3.0, TODAY: 2.0})
    world.beeminder.faults.add(Fault(method="GET", path="datapoints", status=500, times=2))
    writes = ours(world)

    world.work()
    assert ours(world) == writes
    assert all_rows(world, Datapoint) == []

    look(world)
    look(world)
    assert world.values() == {YESTERDAY: 5.0, TODAY: 2.0}


def test_the_goal_is_looked_at_once(world: World) -> None:
    """Later syncs know what is there without asking."""
    world.work()
    asked = world.beeminder.faults.count("datapoints", "GET")
    assert asked >= 1
    say(world, {YESTERDAY: 7.0, TODAY: 3.0})
    look(world)
    assert world.beeminder.faults.count("datapoints", "GET") == asked


def test_a_changed_parameter_counts_nothing_twice(world: World) -> None:
    """Another series: days in the look-back keep their one point, which is updated in place."""
    say(world, {"20261116": 1.0, "20261118": 2.0, YESTERDAY: 5.0, TODAY: 1.0})
    say(world, {"20261118": 3.0, YESTERDAY: 6.0, TODAY: 2.0}, series=world.other_series)
    world.work(with_options(world, lookback_days=4))
    ids = {found.daystamp: found.id for found in world.points()}
    change_feed(world, params={"timeseries": world.other_series, "data_state": "Clean"})

    look(world)

    assert world.values() == {"20261116": 1.0, "20261118": 3.0, YESTERDAY: 6.0, TODAY: 2.0}
    assert {found.daystamp: found.id for found in world.points()} == ids
    world.clock.advance(86400)
    say(world, {"20261121": 4.0, TODAY: 2.0, YESTERDAY: 6.0}, series=world.other_series)
    look(world)
    assert point(world, "20261121").value == 4.0
    assert len(world.points()) == 5


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    there=st.dictionaries(st.integers(14, 20), st.integers(1, 9).map(float), min_size=1, max_size=7)
)
def test_for_every_set_of_points_the_ledger_equals_beeminder(
    world: World, there: dict[int, float]
) -> None:
    """Whatever is there of this feed is in the ledger afterwards, value by value."""
    goal = world.beeminder.state.goal("alice", "energy")
    goal.datapoints.clear()
    lose_ledger(world)
    rt = with_options(world, lookback_days=8)
    say(world, {f"202611{day}": value for day, value in there.items()})
    world.clock.advance(700)
    change_feed(world, due_at=world.clock.at)
    world.work(rt)
    history = ours(world)
    lose_ledger(world)

    world.work(rt)

    assert ours(world) == history
    known = {found.daystamp: found.landed_value for found in all_rows(world, Datapoint)}
    assert known == world.values()
