"""A feed that fails on the day on which its goal derails: told at once, and looked at before."""

from db import notices
from simulators.faults import Fault
from tasks import alarms
from tests.tasks.measured import with_options
from tests.tasks.scenes import change_feed
from tests.world import DAY, NOON, World

MIDNIGHT = NOON + DAY / 2


def make_red(world: World, *, safe_days: int = 0, autodata: str | None = None) -> None:
    """The goal derails at the next midnight, and its facts are known."""
    world.work()
    world.beeminder.lay_road("alice", "energy", safe_days=safe_days)
    world.beeminder.state.change_goal("alice", "energy", autodata=autodata)
    world.clock.advance(700)  # the facts are old, and read again


def alarms_of(world: World) -> list[str]:
    """What alice is told about days that are red."""
    with world.reading() as session:
        return [row.message for row in notices.open_for(session) if row.kind == alarms.KIND]


def break_feed(world: World) -> None:
    """The feed names a series that is not there: a person has to mend that."""
    change_feed(world, params={"timeseries": 999})


def test_a_feed_that_stops_on_a_red_day_is_told_with_the_way_back(world: World) -> None:
    """Why, and the one command that brings manual entry back where a data source hides it."""
    make_red(world, autodata="fitbit")
    break_feed(world)
    world.call_back()

    world.work()

    (told,) = alarms_of(world)
    assert "derails today" in told
    assert "999" in told
    assert "waggle manual alice/energy" in told


def test_a_feed_that_stopped_is_looked_at_before_its_red_deadline(world: World) -> None:
    """Not once a day: an hour before the deadline, and again until the minute after it."""
    make_red(world)
    break_feed(world)
    world.call_back()
    world.work()
    looked = []
    while world.feed().due_at < MIDNIGHT + DAY / 2:
        looked.append(world.feed().due_at - MIDNIGHT)
        world.clock.at = world.feed().due_at
        world.work()

    assert looked == [-3600.0, -900.0, -180.0, 60.0]


def test_nobody_is_alarmed_on_other_days(world: World) -> None:
    """A goal with days to go fails quietly: it is shown, and looked at once a day."""
    make_red(world, safe_days=3)
    break_feed(world)
    world.call_back()

    world.work()

    assert world.feed().state == "failing"
    assert alarms_of(world) == []


def test_a_short_outage_alarms_nobody_and_a_long_one_does(world: World) -> None:
    """As long as a callback is held there is hope; once its 503 is certain its owner is told."""
    make_red(world)
    world.bemserver.faults.add(Fault(path="/", status=500, times=None))
    world.call_back()
    world.work()
    assert alarms_of(world) == []

    until_told(world, NOON + 700 + 25)

    (told,) = alarms_of(world)
    assert "source plant" in told


def test_callback_after_callback_does_not_put_the_alarm_off(world: World) -> None:
    """Near a deadline Beeminder calls again and again: the first of them has had its 503."""
    make_red(world)
    world.bemserver.faults.add(Fault(path="/", status=500, times=None))

    until_told(world, NOON + 700 + 25, calling=True)

    assert len(alarms_of(world)) == 1


def test_an_alarm_keeps_to_how_long_callbacks_are_held(world: World) -> None:
    """The owner chose to answer at once: whatever fails is too late."""
    make_red(world)
    world.bemserver.faults.add(Fault(path="/", status=500, times=None))
    world.call_back()

    world.work(with_options(world, hold_seconds=0))

    assert len(alarms_of(world)) == 1


def until_told(world: World, end: float, *, calling: bool = False) -> None:
    """The feed is tried again, and a callback comes in every few seconds, until somebody hears."""
    while not alarms_of(world):
        assert world.clock.at < end, "Beeminder has had its 503, and nobody was told"
        world.clock.advance(3)
        if calling:
            world.call_back()
        world.work()


def test_the_alarm_is_over_when_the_data_is_there(world: World) -> None:
    """The next sync that lands takes it back."""
    make_red(world)
    break_feed(world)
    world.call_back()
    world.work()
    assert alarms_of(world)

    change_feed(world, params={"timeseries": world.series, "data_state": "Clean"})
    world.call_back()
    world.work()

    assert alarms_of(world) == []
