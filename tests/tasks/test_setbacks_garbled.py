"""Answers of the wrong shape: an accident three times in a row, whatever was before them."""

import pytest

from db.models import Feed
from simulators.faults import Fault
from tasks import backfill
from tests.tasks.past_days import ask, history
from tests.tasks.past_days import row as row_of
from tests.tasks.scenes import all_rows, look_up
from tests.world import World


def garble(world: World, times: int | None = None) -> None:
    """The source answers something else than values."""
    body = {"this": "is new"}
    fault = Fault(path="timeseries_data", action="status", status=200, body=body, times=times)
    world.bemserver.faults.add(fault)


def break_off(world: World, status: int = 502) -> None:
    """The source has an outage."""
    world.bemserver.faults.add(Fault(path="timeseries_data", status=status, times=None))


def try_again(world: World, times: int) -> None:
    """Work when the feed is due, so often."""
    for _ in range(times):
        world.clock.at = max(world.clock.at, world.feed().due_at)
        world.work()


def test_one_garbled_answer_is_an_accident(world: World) -> None:
    """A body that is no JSON is asked for again within seconds, and fails nobody."""
    world.bemserver.faults.add(Fault(action="invalid_json", path="/timeseries_data"))
    event_id = world.call_back()
    world.work()
    assert world.feed().state == "active"

    world.clock.advance(5)
    world.work()

    assert world.event(event_id).state == "done"


def test_garbled_answers_in_a_row_are_no_accident(world: World) -> None:
    """After a few the event fails with the reason, and the feed's own schedule looks again."""
    world.bemserver.faults.add(Fault(action="invalid_json", path="/timeseries_data", times=None))
    event_id = world.call_back()
    for _ in range(10):
        world.work()
        world.clock.advance(30)

    assert world.event(event_id).state == "failed"
    feed = world.feed()
    assert (feed.state, feed.reason) == ("failing", "unexpected_response")
    assert feed.due_at - world.clock.now() <= feed.every


@pytest.mark.parametrize("called", [True, False])
def test_an_odd_answer_after_an_outage_ends_nothing(world: World, *, called: bool) -> None:
    """Five failures of another kind, then a page of an upgrade: tried again within seconds."""
    event_id = world.call_back() if called else None
    break_off(world)
    try_again(world, 5)
    world.bemserver.faults.clear()
    garble(world)

    try_again(world, 3)

    feed = world.feed()
    assert (feed.state, feed.attempts, feed.garbled) == ("active", 8, 3)
    if event_id is not None:
        assert world.event(event_id).state == "working"
    try_again(world, 1)
    assert world.feed().state == "failing"


def test_another_failure_in_between_begins_anew(world: World) -> None:
    """Twice nonsense, once nobody there, twice nonsense: that is not three in a row."""
    for _ in range(2):
        garble(world)
        try_again(world, 2)
        world.bemserver.faults.clear()
        break_off(world)
        try_again(world, 1)
        world.bemserver.faults.clear()

    assert (world.feed().state, world.feed().garbled) == ("active", 0)


def test_a_good_answer_begins_anew(world: World) -> None:
    """Nothing is left of what was garbled before."""
    garble(world, times=2)
    try_again(world, 3)

    assert world.feed().last_error is None
    assert {row.garbled for row in all_rows(world, Feed)} == {0}


def test_an_odd_answer_to_a_look_up_ends_it_in_a_row_only(world: World) -> None:
    """Beeminder was away for five tries, and then answers nonsense once."""
    world.beeminder.faults.add(Fault(path="goals", status=502, times=5))
    world.beeminder.faults.add(Fault(path="goals", status=200, body={"goals": 1}, times=1))
    event_id = world.call_back("tea")

    for _ in range(6):
        world.clock.at = max(world.clock.at, world.event(event_id).due_at)
        look_up(world)

    event = world.event(event_id)
    assert (event.state, event.attempts, event.garbled) == ("received", 6, 1)


def test_an_odd_answer_ends_no_past_days(world: World) -> None:
    """The same for a chunk of past days."""
    history(world, 10)
    world.work()
    made = ask(world)
    break_off(world)
    rt = world.runtime()
    for status in (502, 502, 502, 502, 200):
        if status == 200:
            world.bemserver.faults.clear()
            garble(world)
        world.clock.at = max(world.clock.at, row_of(world, made).due_at)
        assert backfill.run(rt)

    row = row_of(world, made)
    assert (row.state, row.attempts, row.garbled) == ("working", 5, 1)
