"""Leases of one process: a hung thread loses its own, a stopping process stops."""

import pytest

from tasks.runtime import Leases, Stopping
from tasks.slots import HELD_AT_MOST_SECONDS
from tests.tasks.scenes import LEASE_OVER, die
from tests.world import World, crash_at


def test_a_thread_that_hangs_loses_its_lease() -> None:
    """After three minutes the heartbeat does not believe in it any more."""
    leases = Leases()
    with leases.holding([1, 2], 100.0):
        leases.drop([2])
        assert leases.renewable(100.0 + HELD_AT_MOST_SECONDS - 1) == [1]
        assert leases.renewable(100.0 + HELD_AT_MOST_SECONDS) == []
    assert leases.renewable(100.0) == []


def test_the_heartbeat_keeps_what_is_held(world: World) -> None:
    """A long sync outlives its lease as long as its process says so; a dead one does not."""
    beats: list[float] = []

    def slow(step: str) -> None:
        if step == "fetched" and not beats:
            for _ in range(10):
                world.clock.advance(3)
                rt.heartbeat()
                beats.append(world.feed().lease_until - world.clock.at)
                world.work(other)

    other = world.runtime()
    rt = world.runtime(trace=slow)
    event_id = world.call_back()
    world.work(rt)

    assert beats == [10.0] * 10
    assert world.feed().epoch == 1
    assert world.event(event_id).state == "done"

    world.call_back()
    dead = world.runtime(trace=crash_at("fetched"))
    die(world, dead)
    dead.heartbeat()
    world.clock.advance(LEASE_OVER)
    world.work(other)
    assert world.feed().epoch == 3


def test_a_stopping_process_stops_at_the_next_step(world: World) -> None:
    """`step` tells the trace first, then whether to go on."""
    seen: list[str] = []
    rt = world.runtime(trace=seen.append)
    rt.step("one")
    rt.stopping.set()
    with pytest.raises(Stopping):
        rt.step("two")
    assert seen == ["one", "two"]
