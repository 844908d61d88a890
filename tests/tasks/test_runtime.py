"""Slots and leases of one process: a callback finds a hand, a hung thread loses its lease."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.states import Lane
from tasks.runtime import HELD_AT_MOST_SECONDS, Leases, Slots, Stopping
from tests.tasks.scenes import LEASE_OVER, at_once, die
from tests.world import World, crash_at


@given(total=st.integers(1, 40), wanted=st.lists(st.sampled_from(list(Lane)), max_size=80))
def test_limits_hold_whoever_comes_first(total: int, wanted: list[Lane]) -> None:
    """Bulk has half of the slots at most; scheduled work leaves two of them for callbacks."""
    slots = Slots(total)
    running: list[Lane] = []
    with contextlib.ExitStack() as stack:
        for lane in wanted:
            if stack.enter_context(slots.enter(lane)):
                running.append(lane)
            assert slots.busy == len(running) <= total
            assert running.count(Lane.BULK) <= max(1, total // 2)
            if total > 3:
                assert sum(found is not Lane.URGENT for found in running) <= total - 2
    assert slots.busy == 0


def test_hanging_bulk_work_leaves_slots_for_callbacks() -> None:
    """All of bulk's slots are taken for ever: as many callbacks as before still run."""
    slots = Slots(8)
    with contextlib.ExitStack() as stack:
        taken = [stack.enter_context(slots.enter(Lane.BULK)) for _ in range(10)]
        assert taken == [True] * 4 + [False] * 6
        urgent = [stack.enter_context(slots.enter(Lane.URGENT)) for _ in range(5)]
        assert urgent == [True] * 4 + [False]


def test_slots_are_given_back_after_a_failure() -> None:
    """Whatever the work raised."""
    slots = Slots(1)
    with pytest.raises(ZeroDivisionError), slots.enter(Lane.URGENT):
        raise ZeroDivisionError
    assert slots.busy == 0


def test_threads_count_together() -> None:
    """Thirty threads in and out many times: nothing is left over."""
    slots = Slots(5)

    def work(number: int) -> None:
        for _ in range(50):
            with slots.enter(Lane(number % 3)):
                assert slots.busy <= 5

    at_once(12, work)
    assert slots.busy == 0


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
