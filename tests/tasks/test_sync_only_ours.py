"""Points of others are never touched, whatever happens around them."""

import random
from dataclasses import asdict

import pytest

from simulators import beeminder_datapoints
from simulators.beeminder_state import Datapoint
from simulators.faults import Fault
from tests.tasks.measured import look, with_options
from tests.tasks.scenes import change_feed
from tests.world import DAY, World

SYNCS = 200
SYNCS_ON_POSTGRESQL = 60  # the walk is about Beeminder's points; the ledger only has to be another


def theirs(world: World) -> list[dict[str, object]]:
    """What stands on the goal that we did not write, field by field."""
    points = world.beeminder.state.datapoints("alice", "energy")
    return [asdict(point) for point in points if not (point.requestid or "").startswith("wg-")]


def put(world: World, **fields: object) -> Datapoint:
    """A point by another hand."""
    goal = world.beeminder.state.goal("alice", "energy")
    made, _ = beeminder_datapoints.upsert(world.beeminder.state, goal, fields, via=None)
    return made


def a_crowd(world: World) -> None:
    """On each of seven days: a person's, another app's, a dummy and an initial point."""
    for number in range(15, 22):
        day = f"202611{number}"
        put(world, value=1.0 + number, daystamp=day, comment="mine")
        put(world, value=2.0, daystamp=day, requestid=f"ifttt-{day}", comment="theirs")
        put(world, value=3.0, daystamp=day, requestid=f"xwg-0123456789abcdef-{day}")
        put(world, value=4.0, daystamp=day, requestid=f"WG-0123456789abcdef-{day}")
        put(world, value=0.0, daystamp=day, comment="#DERAIL").is_dummy = True
        put(world, value=5.0, daystamp=day).is_initial = True


def test_two_hundred_random_syncs_touch_nobody_elses(world: World) -> None:
    """Values, holes, faults, doubts, edited settings and lost cursors: theirs stay byte for byte.

    A seeded walk: what fails once fails again.
    """
    rng = random.Random(11)  # noqa: S311 -- a walk that repeats
    a_crowd(world)
    before = theirs(world)
    assert len(before) == 7 * 6
    share = 0.1 if world.ledger.is_sqlite else 0.3  # each kind has to come up in fewer syncs too
    trouble = [
        Fault(method=method, path="datapoints", probability=share, times=None, **how)
        for method, how in (
            ("POST", {"status": 500}),
            ("POST", {"action": "lose_reply"}),
            ("GET", {"status": 503}),
        )
    ]
    for fault in trouble:
        world.beeminder.faults.add(fault)
    rt = with_options(world, lookback_days=4, corrections="always")

    syncs = SYNCS if world.ledger.is_sqlite else SYNCS_ON_POSTGRESQL
    for _ in range(syncs):
        at = world.clock.at - rng.uniform(0, 4 * DAY)
        world.measure(world.series, {at: float(rng.randint(-3, 9))})
        if rng.random() < 0.1:
            series = rng.choice([world.series, world.other_series])
            change_feed(world, params={"timeseries": series, "data_state": "Clean"})
        if rng.random() < 0.1:
            change_feed(world, doubtful=True)
        if rng.random() < 0.05:
            change_feed(world, cursor={}, digest=None)
        look(world, after=rng.uniform(10, 3600), rt=rt)

    assert theirs(world) == before
    writes = [change for change in world.beeminder.state.history if change.via is not None]
    assert len(writes) > syncs / 2
    assert all((change.requestid or "").startswith("wg-") for change in writes)
    assert not any(change.kind == "deleted" for change in writes)
    assert all(fault.hits for fault in trouble)


@pytest.mark.parametrize("mark", ["is_dummy", "is_initial"])
def test_a_dummy_under_an_id_of_ours_is_not_ours(world: World, mark: str) -> None:
    """Beeminder's own points are never taken for something that a person edited."""
    world.work()
    (point,) = [p for p in world.points() if p.daystamp == "20261119"]
    copy = put(world, value=99.0, daystamp="20261119", comment="made by Beeminder")
    copy.requestid = point.requestid
    setattr(copy, mark, True)
    world.measure(world.series, {world.clock.at - DAY: 8.0})

    look(world)

    assert point.value == 8.0
    assert copy.value == 99.0
