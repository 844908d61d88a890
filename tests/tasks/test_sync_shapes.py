"""Several feeds, and goals that count otherwise: sent in the shape that fits, or refused."""

import pytest

from simulators import beeminder_datapoints
from tests.tasks.measured import look, row, say, with_options
from tests.tasks.scenes import TODAY, YESTERDAY, all_rows, change_feed
from tests.world import World


def goal(world: World, **facts: object) -> None:
    """The goal counts like this."""
    world.beeminder.state.change_goal("alice", "energy", **facts)


def by_hand(world: World, daystamp: str, value: float) -> None:
    """A person typed a point."""
    known = world.beeminder.state.goal("alice", "energy")
    fields = {"value": value, "daystamp": daystamp}
    beeminder_datapoints.upsert(world.beeminder.state, known, fields, via=None)


def test_accepting_how_a_goal_counts_sends_what_the_source_says(world: World) -> None:
    """`accept_aggday`: a day's total on a goal that takes a day for itself, as the person wants."""
    goal(world, kyoom=False, aggday="last")
    change_feed(world, options={"accept_aggday": True})
    say(world, {YESTERDAY: 5.0, TODAY: 1.0})
    world.work()
    assert world.values() == {YESTERDAY: 5.0, TODAY: 1.0}


def test_two_feeds_of_one_summing_goal_are_two_points_of_a_day(world: World) -> None:
    """Each has its own; a callback is done when both are there; neither touches the other's."""
    say(world, {YESTERDAY: 5.0, TODAY: 1.0})
    say(world, {YESTERDAY: 50.0, TODAY: 10.0}, series=world.other_series)
    world.link("energy", series=world.other_series, label="roof")
    event_id = world.call_back()

    world.work()

    assert world.event(event_id).state == "done"
    values = world.beeminder.state.day_values("alice", "energy")
    assert {day: sum(found) for day, found in values.items()} == {YESTERDAY: 55.0, TODAY: 11.0}
    say(world, {YESTERDAY: 50.0, TODAY: 20.0}, series=world.other_series)
    look(world)
    values = world.beeminder.state.day_values("alice", "energy")
    assert {day: sum(found) for day, found in values.items()} == {YESTERDAY: 55.0, TODAY: 21.0}


@pytest.mark.parametrize("facts", [{"kyoom": False, "aggday": "last"}, {"aggday": "max"}])
def test_several_feeds_on_a_goal_that_adds_nothing_up_are_refused(
    world: World, facts: dict
) -> None:
    """Their values would write over each other: nothing is sent, and what to do is said."""
    goal(world, **facts)
    other = world.link("energy", series=world.other_series, label="roof")
    event_id = world.call_back()

    world.work()

    assert world.values() == {}
    for feed_id in (world.feed_id, other):
        feed = world.feed(feed_id)
        assert (feed.state, feed.reason) == ("failing", "unfit_goal")
        for word in ("2 feeds", "accept_aggday = true", "waggle link alice/energy --fix-goal"):
            assert word in (feed.last_error or "")
    assert world.event(event_id).state == "failed"


@pytest.mark.parametrize("aggday", ["count", "binary", "square", "cap1"])
def test_a_goal_that_counts_points_instead_of_values_is_refused(world: World, aggday: str) -> None:
    """One point a day would not count as its own value."""
    goal(world, aggday=aggday)
    world.work()
    assert world.values() == {}
    assert (world.feed().state, world.feed().reason) == ("failing", "unfit_goal")


def test_a_goal_that_changes_how_it_counts_starts_over_without_a_jump(world: World) -> None:
    """It summed and does not any more: the running total goes on from what the goal shows."""
    say(world, {YESTERDAY: 5.0, TODAY: 1.0})
    world.work(with_options(world, lookback_days=0))
    assert world.values() == {TODAY: 1.0}
    goal(world, kyoom=False, aggday="last")
    by_hand(world, YESTERDAY, 40.0)
    say(world, {YESTERDAY: 5.0, TODAY: 2.0})

    look(world, rt=with_options(world, lookback_days=0))

    assert world.values() == {TODAY: 42.0}
    assert len(all_rows(world, type(row(world, TODAY)))) == 1
