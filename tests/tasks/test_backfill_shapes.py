"""Days that build on each other, read again in chunks: the sum stays what the source says."""

import pytest

from db import approvals
from db.models_points import Datapoint
from tasks.runtime import Runtime
from tests.tasks import past_days
from tests.tasks.measured import say, with_options
from tests.tasks.past_days import ask, day
from tests.tasks.scenes import TODAY, all_rows, change_feed
from tests.world import World

CHANGED = 60  # days ago


@pytest.fixture
def rt(world: World) -> Runtime:
    """A worker that looks two days back."""
    return with_options(world, lookback_days=2)


def approve(world: World) -> None:
    """A person lets everything pass that is held."""
    with world.ledger.write() as session:
        approvals.approve(session, [world.feed_id], daystamp=None, now=world.clock.at)


def again(world: World, rt: Runtime) -> None:
    """An hour goes by."""
    world.clock.advance(3700)
    world.work(rt)


@pytest.fixture
def running(world: World) -> dict[str, float]:
    """Seventy days of a running total are at Beeminder, one more each; what the source says."""
    world.beeminder.state.change_goal("alice", "energy", kyoom=False, aggday="last")
    change_feed(world, since=day(70))
    said = {day(ago): 1.0 for ago in range(71)}
    say(world, said)
    world.work(with_options(world, lookback_days=70))
    assert world.values()[TODAY] == 71.0
    return said


@pytest.mark.parametrize("before", [1, 2, 3])
@pytest.mark.parametrize("value", [3.0, 0.5])
def test_a_total_that_is_kept_back_is_kept_back_to_the_end(
    world: World, rt: Runtime, running: dict[str, float], before: int, value: float
) -> None:
    """Two months ago differs: no later chunk goes out without it, one look lets all of it pass."""
    there = world.values()
    say(world, running | {day(CHANGED): value})
    ask(world, first=day(CHANGED + before))  # the last chunk: a month, today, yesterday and today
    past_days.work(world, rt)
    held = [row.daystamp for row in all_rows(world, Datapoint) if row.state == "held"]
    assert held == [day(ago) for ago in range(CHANGED, 0, -1)]
    again(world, rt)
    assert world.values() == there

    for _ in range(2):  # all of it, and what a sync meanwhile took for settled
        approve(world)
        again(world, rt)

    gained = value - 1.0
    assert world.values() == {
        stamp: total + gained * (stamp >= day(CHANGED)) for stamp, total in there.items()
    }


@pytest.mark.parametrize("corrections", ["careful", "always"])
@pytest.mark.parametrize("gained", [0.5, -0.5])
def test_the_day_after_a_difference_that_changed_is_read_too(
    world: World, rt: Runtime, corrections: str, gained: float
) -> None:
    """What one day has more the next one has less: else the goal has what nobody measured."""
    level = {"timeseries": world.series, "data_state": "Clean", "aggregation": "last"}
    change_feed(world, params=level, options={"corrections": corrections})
    said = {day(ago): 100.0 - ago for ago in range(12)}
    say(world, said)
    world.work(with_options(world, lookback_days=9))
    assert sum(world.values().values()) == 10.0

    say(world, said | {day(5): 95.0 + gained})
    made = ask(world, first=day(6), last=day(5))
    past_days.work(world, rt)
    approve(world)
    again(world, rt)

    assert past_days.row(world, made).last_day == day(4)
    assert world.values() == {day(ago): 1.0 for ago in range(10)} | {
        day(5): 1.0 + gained,
        day(4): 1.0 - gained,
    }


def test_a_difference_that_is_as_it_was_asks_for_no_other_day(world: World, rt: Runtime) -> None:
    """Two days are asked for and two are read."""
    level = {"timeseries": world.series, "data_state": "Clean", "aggregation": "last"}
    change_feed(world, params=level)
    say(world, {day(ago): 100.0 - ago for ago in range(12)})
    world.work(with_options(world, lookback_days=9))
    made = ask(world, first=day(6), last=day(5))
    past_days.work(world, rt)
    assert past_days.row(world, made).last_day == day(5)
