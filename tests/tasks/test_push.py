"""We only ever touch our own datapoints, and never what costs money."""

import pytest

from db.models_points import Datapoint
from simulators import beeminder_datapoints as points
from simulators.beeminder_shapes import BatchShape
from simulators.faults import Fault
from tests.tasks.measured import with_options
from tests.tasks.scenes import TODAY, YESTERDAY, all_rows, change_feed, only_today
from tests.world import DAY, World


def by_hand(world: World, *, value: float, daystamp: str, requestid: str | None = None) -> str:
    """A datapoint that the person or another program wrote; returns its id."""
    goal = world.beeminder.state.goal("alice", "energy")
    fields = {"value": value, "daystamp": daystamp, "comment": "mine"}
    if requestid:
        fields["requestid"] = requestid
    point, _ = points.upsert(world.beeminder.state, goal, fields, via=None)
    return point.id


def theirs(world: World) -> list[tuple[str, float, str]]:
    """What stands on the goal that is not ours."""
    return [
        (point.daystamp, point.value, point.comment)
        for point in world.beeminder.state.datapoints("alice", "energy")
        if not (point.requestid or "").startswith("wg-")
    ]


def test_points_of_others_are_left_alone(world: World) -> None:
    """What a person or another program wrote on the same days stays, also in a read-back."""
    by_hand(world, value=40.0, daystamp=TODAY)
    by_hand(world, value=41.0, daystamp=YESTERDAY, requestid="ifttt-1")
    before = theirs(world)
    world.work()
    world.measure(world.series, {world.clock.at - 60: 1.0})
    change_feed(world, doubtful=True, due_at=world.clock.at)

    world.work()

    assert theirs(world) == before
    changed = {change.requestid for change in world.beeminder.state.history if change.via}
    assert all(requestid and requestid.startswith("wg-") for requestid in changed)


def test_nothing_that_costs_is_ever_called(world: World) -> None:
    """A fortnight of syncs, failures and repairs: no costing endpoint, only the calls we know."""
    world.beeminder.faults.add(Fault(probability=0.2, status=500, times=None))
    for day in range(14):
        world.measure(world.series, {world.clock.at - 60: 1.0 + day})
        world.call_back()
        for _ in range(3):
            world.work()
            world.clock.advance(40)
        world.clock.advance(DAY - 120)
    world.beeminder.faults.clear()
    world.call_back()
    world.work()

    assert dict(world.beeminder.state.cost_calls) == {}
    assert {(request.method, request.path) for request in world.beeminder.faults.requests} <= {
        ("GET", "/api/v1/users/me.json"),
        ("GET", "/api/v1/users/me/goals.json"),
        ("GET", "/api/v1/users/me/goals/energy.json"),
        ("GET", "/api/v1/users/me/goals/energy/datapoints.json"),
        ("POST", "/api/v1/users/me/goals/energy/datapoints.json"),
        ("POST", "/api/v1/users/me/goals/energy/datapoints/create_all.json"),
    }
    stamps = [point.daystamp for point in world.points()]
    assert len(stamps) == len(set(stamps)) >= 14


@pytest.mark.parametrize("partial_status", [200, 422])
def test_a_batch_that_lands_in_part_is_completed_one_by_one(
    world: World, partial_status: int
) -> None:
    """Whatever status a partial failure has: what it did not confirm is sent again, singly."""
    world.beeminder.state.partial_status = partial_status
    world.work()
    row = next(p for p in world.points() if p.daystamp == YESTERDAY)
    world.measure(world.series, {world.clock.at - DAY: 8.0, world.clock.at - 60: 1.0})
    # The same value by another hand: as an element of the batch it is refused as a duplicate.
    row.value, row.comment = 8.0, "8 kWh from plant"
    world.call_back()

    world.work()

    assert world.values() == {TODAY: 3.5, YESTERDAY: 8.0}
    assert world.feed().state == "active"


def test_a_year_of_days_goes_out_in_batches(world: World) -> None:
    """A long look-back is sent a hundred at a time, oldest first, each day once."""
    options = world.runtime().options.__class__(
        beeminder_url=world.beeminder_server.url, beeminder_rate=0, lookback_days=250
    )
    world.measure(world.series, {world.clock.at - n * DAY: 1.0 for n in range(1, 251)})

    world.work(world.runtime(options=options))

    assert len(world.points()) == 251
    assert world.beeminder.faults.count("create_all") == 3
    created = [change.daystamp for change in world.beeminder.state.history]
    assert created == sorted(created)


@pytest.mark.parametrize("limit", [1, 7, 30])
def test_a_batch_that_is_too_much_gets_smaller_until_it_is_not(world: World, limit: int) -> None:
    """Beeminder gives up on big batches: all points land soon, each once, the oldest first.

    In the same sync if a small batch goes through; else the next tries begin with ever fewer.
    """
    world.beeminder.state.batch_limit = limit
    world.measure(world.series, {world.clock.at - n * DAY: 1.0 for n in range(1, 60)})
    event_id = world.call_back()

    rt = with_options(world, lookback_days=60)
    world.work(rt)
    assert len(world.points()) == (60 if limit == 30 else 0)
    for _ in range(5):
        world.clock.advance(20)
        world.work(rt)

    assert len(world.points()) == 60
    counts = world.beeminder.state.write_counts("alice", "energy")
    assert all(found == {"created": 1} for found in counts.values())
    created = [change.daystamp for change in world.beeminder.state.history]
    assert created == sorted(created)
    assert world.event(event_id).state == "done"


def test_a_batch_that_fails_is_asked_for_once_more_and_smaller(world: World) -> None:
    """A Beeminder that answers 500 to everything is asked twice in a sync, not in a circle."""
    world.beeminder.faults.add(Fault(method="POST", path="datapoints", status=500, times=None))
    world.measure(world.series, {world.clock.at - n * DAY: 1.0 for n in range(1, 60)})

    world.work(with_options(world, lookback_days=60))

    pushes = [r for r in world.beeminder.faults.requests if r.method == "POST"]
    assert len(pushes) == 2
    assert {row.attempts for row in all_rows(world, Datapoint)} == {1, 2}


SHAPES = [
    BatchShape(),
    BatchShape(errors="objects", successes="nested"),
    BatchShape(errors="mapping", resend="duplicate"),
    BatchShape(errors="nested", resend="silent"),
    BatchShape(errors="shown", resend="omitted"),
    BatchShape(container="list", errors="shown"),
    BatchShape(whole=True),
]


@pytest.mark.parametrize("shape", SHAPES, ids=repr)
def test_a_batch_whose_answer_was_lost_is_sent_again_without_harm(
    world: World, shape: BatchShape
) -> None:
    """Half of it changed meanwhile, the other half is an identical resend: each fact is once."""
    world.beeminder.state.batch_shape = shape
    world.measure(world.series, {world.clock.at - n * DAY: 1.0 for n in range(1, 12)})
    rt = with_options(world, lookback_days=12)
    world.beeminder.faults.add(Fault(action="lose_reply", method="POST", path="create_all"))
    world.work(rt)
    assert len(world.points()) == 12
    world.measure(world.series, {world.clock.at - n * DAY + 1: 1.0 for n in range(1, 12, 2)})
    world.clock.advance(5)

    world.work(rt)

    expected = [2.0 if n % 2 else 1.0 for n in range(11, 0, -1)]
    kept = {f"202611{day:02}" for day in range(9, 20)}
    assert [v for day, v in world.values().items() if day in kept] == expected
    assert len(world.points()) == 12
    counts = world.beeminder.state.write_counts("alice", "energy")
    assert all(found["created"] == 1 for found in counts.values())
    assert {row.state for row in all_rows(world, Datapoint)} <= {"landed", "held"}


def test_the_comment_obeys_the_template_and_gives_no_orders(world: World) -> None:
    """The words that command Beeminder's engine are taken apart in what we send."""
    only_today(world)
    change_feed(world, options={"comment": "{value} {unit} #DERAIL from {source}"})

    world.work()

    assert [point.comment for point in world.points()] == ["2.5 kWh # DERAIL from plant"]
