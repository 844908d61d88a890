"""A process may be killed between any two steps: nothing is lost, nothing is written twice."""

import pytest

from db.models_points import Datapoint
from simulators.faults import Fault
from tasks import sweep
from tests.tasks.scenes import (
    LEASE_OVER,
    TODAY,
    TRIED_AGAIN,
    YESTERDAY,
    all_rows,
    die,
    only_today,
)
from tests.world import World, crash_at

STEPS = ("opened", "claimed", "fetched", "recorded", "push.begun", "push.sent", "finished")
VALUES = {TODAY: 2.5, YESTERDAY: 7.0}


def expect_all_is_well(world: World, event_id: str, values: dict[str, float]) -> None:
    """One datapoint per fact at Beeminder, made once; the event done, no lease left behind."""
    points = world.points()
    assert {point.daystamp: point.value for point in points} == values
    assert len(points) == len(values)
    counts = world.beeminder.state.write_counts("alice", "energy")
    assert [found["created"] for found in counts.values()] == [1] * len(values)
    assert all("updated" not in found and "deleted" not in found for found in counts.values())
    assert world.event(event_id).state == "done"
    assert world.feed().lease_owner is None
    rows = all_rows(world, Datapoint)
    assert {row.state for row in rows} == {"landed"}
    ids = {point.requestid: point.id for point in points}
    # A refused duplicate does not name its id.
    assert all(row.beeminder_id in (None, ids[row.requestid]) for row in rows)


@pytest.mark.parametrize("points", ["one", "several"])
@pytest.mark.parametrize("step", STEPS)
def test_a_killed_worker_loses_nothing(world: World, step: str, points: str) -> None:
    """Killed at any step: the next worker finishes after the lease, one datapoint per fact."""
    if points == "one":
        only_today(world)
    event_id = world.call_back()
    assert die(world, world.runtime(trace=crash_at(step)))

    world.clock.advance(LEASE_OVER)
    world.work()

    expect_all_is_well(world, event_id, {TODAY: 2.5} if points == "one" else VALUES)


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_the_same_step_again_and_again(world: World, step: str) -> None:
    """Three workers die at the same place; the fourth one finishes, and nothing is doubled."""
    event_id = world.call_back()
    for _ in range(3):
        die(world, world.runtime(trace=crash_at(step)))
        world.clock.advance(TRIED_AGAIN)

    world.work()

    expect_all_is_well(world, event_id, VALUES)


def test_a_lease_is_respected_while_it_lasts(world: World) -> None:
    """Nobody takes a killed worker's feed before its lease has ended."""
    event_id = world.call_back()
    die(world, world.runtime(trace=crash_at("claimed")))
    world.clock.advance(5)

    world.work()

    assert world.values() == {}
    assert world.event(event_id).state == "working"


def test_a_lost_doorbell_costs_latency_only(world: World) -> None:
    """The process dies after the inbox commit and before it rings: the sweep rings for it."""
    world.work()
    world.clock.advance(60)
    event_id = world.call_back()

    sweep.run(world.runtime())

    assert ("sync", "urgent") in world.rung
    world.work()
    assert world.event(event_id).state == "done"


@pytest.mark.parametrize("points", ["one", "several"])
@pytest.mark.parametrize("action", ["lose_reply", "cut", "reset", "invalid_json"])
def test_a_broken_reply_to_a_push(world: World, action: str, points: str) -> None:
    """Whatever becomes of Beeminder's reply, processed or not: one datapoint per fact."""
    if points == "one":
        only_today(world)
    world.beeminder.faults.add(Fault(action=action, method="POST", path="datapoints"))
    event_id = world.call_back()

    world.work()
    world.clock.advance(5)
    world.work()

    expect_all_is_well(world, event_id, {TODAY: 2.5} if points == "one" else VALUES)


def test_done_never_precedes_landing(world: World) -> None:
    """At no step of a sync is the event done before its datapoints are at Beeminder."""
    event_id = world.call_back()
    seen = []

    def look(step: str) -> None:
        seen.append((step, world.event(event_id).state, world.values() == VALUES))

    world.work(world.runtime(trace=look))

    assert [landed for _, state, landed in seen if state == "done"] == [True]
    assert ("push.sent", "working", True) in seen
    assert ("push.begun", "working", False) in seen
