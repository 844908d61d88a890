"""A zero says something: it is sent where it is true and harmless, and nowhere else."""

import pytest

from tasks.decide import ORDERS
from tests.tasks.measured import look, morning, ours, say
from tests.tasks.scenes import TODAY, YESTERDAY, change_feed
from tests.world import DAY, World

EARLIER = "20261118"
MIDNIGHT = morning(TODAY) + 18 * 3600


def goal(world: World, **facts: object) -> None:
    """The goal counts like this."""
    world.beeminder.state.change_goal("alice", "energy", **facts)


@pytest.mark.parametrize("yaw", [1, -1])
def test_a_finished_day_on_which_nothing_happened_is_a_zero(world: World, yaw: int) -> None:
    """It is sent, and today's is not: there may be something yet."""
    goal(world, yaw=yaw)
    say(world, {EARLIER: 3.0, YESTERDAY: 0.0, TODAY: 0.0})
    world.work()
    assert world.values() == {EARLIER: 3.0, YESTERDAY: 0.0}


def test_zeros_may_be_left_out(world: World) -> None:
    """`zeros = false`: neither today's nor that of a finished day, do-less or not."""
    goal(world, yaw=-1)
    change_feed(world, options={"zeros": False})
    say(world, {EARLIER: 3.0, YESTERDAY: 0.0, TODAY: 2.0})
    world.work()
    assert world.values() == {EARLIER: 3.0, TODAY: 2.0}


def test_a_missing_measurement_is_no_zero(world: World) -> None:
    """No samples: no datapoint, on no day."""
    say(world, {EARLIER: 3.0})
    world.work()
    assert world.values() == {EARLIER: 3.0}


def test_a_level_may_be_zero(world: World) -> None:
    """A tank that is empty now is a reading like any other."""
    goal(world, kyoom=False, aggday="last")
    change_feed(
        world,
        params={"timeseries": world.series, "data_state": "Clean", "aggregation": "last"},
    )
    say(world, {YESTERDAY: 3.0, TODAY: 0.0})
    world.work()
    assert world.values() == {YESTERDAY: 3.0, TODAY: 0.0}


@pytest.mark.parametrize("kind", ["total", "level"])
def test_an_odometer_never_gets_a_zero(world: World, kind: str) -> None:
    """It would be a reset: not today, not for a finished day, not even when a person lets it."""
    goal(world, odom=True, kyoom=False, aggday="last", yaw=-1)
    aggregation = "sum" if kind == "total" else "last"
    options = {"corrections": "always", "accept_aggday": True}
    change_feed(
        world,
        params={"timeseries": world.series, "data_state": "Clean", "aggregation": aggregation},
        options=options,
    )
    say(world, {EARLIER: 5.0, YESTERDAY: 0.0, TODAY: 6.0})
    world.work()
    assert world.values() == {EARLIER: 5.0, TODAY: 6.0}

    say(world, {EARLIER: 0.0, YESTERDAY: 0.0, TODAY: 0.0})
    look(world, after=MIDNIGHT - 60 - world.clock.at)
    look(world, after=3600)
    assert world.values() == {EARLIER: 5.0, TODAY: 6.0}


@pytest.mark.parametrize(
    ("yaw", "before", "sent"), [(-1, 901, False), (-1, 899, True), (-1, 5, True), (1, 60, False)]
)
def test_the_zero_of_today_spares_a_pessimistic_guess(
    world: World, yaw: int, before: float, *, sent: bool
) -> None:
    """On a do-less goal from a quarter of an hour before its deadline, and on no other."""
    goal(world, yaw=yaw)
    say(world, {YESTERDAY: 1.0, TODAY: 0.0})
    look(world, after=MIDNIGHT - before - world.clock.at)
    assert world.values() == {YESTERDAY: 1.0} | ({TODAY: 0.0} if sent else {})


def test_a_value_of_today_is_not_emptied_while_the_day_runs(world: World) -> None:
    """The source says zero where it said two: a source in trouble, or true in the end."""
    goal(world, yaw=-1)
    say(world, {TODAY: 2.0})
    world.work()
    say(world, {TODAY: 0.0})
    look(world)
    assert world.values() == {TODAY: 2.0}

    look(world, after=MIDNIGHT - 600 - world.clock.at)
    assert world.values() == {TODAY: 0.0}


def test_a_do_less_day_gets_its_zero_in_time_without_anybody_asking(world: World) -> None:
    """Five days with nothing on them: each has its zero before its deadline, by the schedule."""
    goal(world, yaw=-1, deadline=-2 * 3600)
    change_feed(world, since=TODAY)
    stamps = [TODAY, "20261121", "20261122", "20261123", "20261124"]
    for stamp in stamps:
        samples = {morning(day): 0.0 for day in stamps if day <= stamp}
        world.bemserver.state.set_values(
            world.series, list(samples.items()), data_state="Clean", replace=True
        )
        ends = morning(stamp) + 16 * 3600
        while world.clock.at < ends - 5:
            due = world.feed().due_at
            world.clock.at = min(max(world.clock.at + 1, due), ends - 5)
            world.work()
        assert world.values().get(stamp) == 0.0, stamp
        world.clock.at = ends + 1
    assert ours(world) == len(stamps)
    assert world.clock.at < morning(TODAY) + 5 * DAY


@pytest.mark.parametrize(
    "template", ["{value} #DERAIL @TARE", "{value} @TARE{source} #SelfDestruct", "#archive"]
)
def test_words_that_command_the_engine_are_taken_apart(world: World, template: str) -> None:
    """The words stay readable and give no order."""
    change_feed(world, options={"comment": template})
    world.work()
    comments = [point.comment for point in world.points()]
    assert comments
    for comment in comments:
        assert not ORDERS.search(comment)
        assert comment.replace("# ", "#").replace("@ ", "@").casefold() == (
            template.format(value=7 if "7" in comment else 2.5, source="plant").casefold()
        )
