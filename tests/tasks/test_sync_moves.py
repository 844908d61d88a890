"""People travel and move deadlines: nothing counts twice, and nothing is lost."""

import itertools
import random

import pytest

from db.models_points import Datapoint, Day
from tests.tasks.measured import look
from tests.tasks.scenes import all_rows, change_feed
from tests.world import DAY, NOON, World

HOUR = 3600.0
BEGAN = NOON - 12 * HOUR  # 2026-11-20 in UTC


def run_on(world: World) -> None:
    """The meter gives one at every quarter of an hour, also of what is to come (a forecast)."""
    change_feed(world, since="20261120")
    values = {BEGAN + n * 900.0: 1.0 for n in range(12 * 96)}
    world.bemserver.state.set_values(
        world.series, list(values.items()), data_state="Clean", replace=True
    )


def counted(world: World) -> float:
    """What the source has given since the feed began."""
    return (world.clock.at - BEGAN) // 900 + 1


def change(world: World, **facts: object) -> None:
    """The person moves, or moves the deadline."""
    if "timezone" in facts:
        world.beeminder.state.change_user("alice", timezone=facts["timezone"])
    if "deadline" in facts:
        world.beeminder.state.change_goal("alice", "energy", deadline=facts["deadline"])


def expect_all_counted_once(world: World) -> None:
    """One point a day, nothing held, and all of them together are what the source gave."""
    points = world.points()
    assert len({point.daystamp for point in points}) == len(points)
    assert {row.state for row in all_rows(world, Datapoint)} == {"landed"}
    assert sum(point.value for point in points) == counted(world)
    days = sorted(all_rows(world, Day), key=lambda day: day.daystamp)
    for one, following in itertools.pairwise(days):
        assert one.ends_at == following.starts_at


@pytest.mark.parametrize(
    ("hour", "facts"),
    [
        (13, {"timezone": "Asia/Tokyo"}),
        (23, {"timezone": "Asia/Kathmandu"}),
        (1, {"timezone": "America/Los_Angeles"}),
        (1, {"timezone": "Pacific/Kiritimati"}),
        (13, {"timezone": "Pacific/Kiritimati"}),
        (23, {"timezone": "Pacific/Pago_Pago"}),
        (1, {"deadline": 3 * 3600}),
        (13, {"deadline": 6 * 3600}),
        (13, {"deadline": -17 * 3600}),
        (23, {"deadline": -7 * 3600, "timezone": "America/St_Johns"}),
    ],
)
def test_a_move_loses_and_doubles_nothing(world: World, hour: int, facts: dict) -> None:
    """Early, in the middle or late in the day, there and back again after some days."""
    run_on(world)
    world.clock.at = BEGAN + 1.02 * HOUR
    home = {"timezone": "UTC", "deadline": 0}
    for number in range(16):
        if number == 3:
            world.clock.at = BEGAN + DAY + hour * HOUR + 120
            change(world, **facts)
        if number == 10:
            change(world, **{name: home[name] for name in facts})
        look(world, after=8.3 * HOUR)
        expect_all_counted_once(world)


def test_a_restless_person_loses_and_doubles_nothing(world: World) -> None:
    """A zone or a deadline that changes every few hours for six days, and syncs in between."""
    rng = random.Random(5)  # noqa: S311 -- a walk that repeats
    zones = ["UTC", "Asia/Tokyo", "America/Los_Angeles", "Pacific/Apia", "Asia/Kathmandu"]
    run_on(world)
    world.clock.at = BEGAN + 60
    while world.clock.at < BEGAN + 6 * DAY:
        change(
            world,
            timezone=rng.choice(zones),
            deadline=rng.choice([-17, -6, 0, 1, 3, 6]) * 3600,
        )
        look(world, after=rng.uniform(800, 6 * HOUR))
        expect_all_counted_once(world)
