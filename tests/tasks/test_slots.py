"""Slots of one process: a callback finds a hand, and a suspect gets the process to itself."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.states import Lane
from tasks.slots import Slots
from tests.tasks.scenes import at_once


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
