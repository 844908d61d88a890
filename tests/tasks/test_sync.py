"""The main job, end to end on real servers, with everything going wrong that can."""

from tests.world import DAY, World


def test_a_callback_becomes_datapoints(world: World) -> None:
    """A callback puts the day's total, and late data of the days before, on the goal."""
    event_id = world.call_back()

    world.work()

    assert world.values() == {"20261119": 7.0, "20261120": 2.5}
    event = world.event(event_id)
    assert (event.state, event.attempts, event.datapoints) == ("done", 1, 2)


def test_an_unchanged_value_is_not_sent_again(world: World) -> None:
    """A second callback finds the same values and writes nothing."""
    world.work()
    writes = len(world.beeminder.state.history)
    world.clock.advance(5)
    event_id = world.call_back()

    world.work()

    assert world.event(event_id).state == "done"
    assert world.event(event_id).datapoints == 0
    assert len(world.beeminder.state.history) == writes


def test_a_changed_value_updates_the_same_datapoint(world: World) -> None:
    """More data on the same day changes one datapoint and adds none."""
    world.work()
    world.measure(world.series, {world.clock.at - 60: 1.0})
    world.clock.advance(5)
    world.call_back()

    world.work()

    assert world.values()["20261120"] == 3.5
    assert len(world.points()) == 2
    assert DAY > 0
