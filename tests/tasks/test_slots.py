"""Slots of one process: a callback finds a hand, and a suspect gets the process to itself."""

import contextlib
import itertools
import math
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.states import Lane
from tasks.slots import (
    ALONE_SECONDS,
    CALLBACKS_IN_SECONDS,
    CALLBACKS_OUT_SECONDS,
    EMPTY_WITHIN_SECONDS,
    HUNG_SECONDS,
    Slots,
)
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


class Watch:
    """Monotonic seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        """Where it stands."""
        return self.at


@pytest.fixture
def watch() -> Watch:
    """Stands still."""
    return Watch()


@pytest.fixture
def slots(watch: Watch) -> Slots:
    """Eight of them."""
    return Slots(8, monotonic=watch)


def may_enter(slots: Slots, lane: Lane = Lane.URGENT) -> bool:
    """Is there a slot just now?"""
    with slots.enter(lane) as free:
        return free


def test_who_is_alone_is_alone(slots: Slots) -> None:
    """Nobody enters beside it, nobody else is alone, and afterwards all is as before."""
    assert slots.wish()
    with slots.alone() as mine:
        assert mine
        assert slots.busy == 1
        assert [may_enter(slots, lane) for lane in Lane] == [False] * 3
        with slots.alone() as other:
            assert not other
        assert slots.busy == 1
    assert (slots.busy, slots.wished) == (0, False)
    assert all(may_enter(slots, lane) for lane in Lane)


def test_nobody_is_alone_without_a_wish(slots: Slots) -> None:
    """Of two tasks that end at once only one finds the wish."""
    with slots.alone() as mine:
        assert not mine
    slots.wish()
    with slots.alone():
        pass
    with slots.alone() as again:
        assert not again


def test_scheduled_work_stays_out_while_a_process_is_emptied(slots: Slots) -> None:
    """Callbacks still come in: they wait for the end of it only."""
    with slots.enter(Lane.BULK):
        slots.wish()
        assert [may_enter(slots, lane) for lane in Lane] == [True, False, False]
        with slots.alone() as mine:
            assert not mine
    assert [may_enter(slots, lane) for lane in Lane] == [False] * 3
    with slots.alone() as mine:
        assert mine


def test_callbacks_are_kept_out_for_a_moment_only(slots: Slots, watch: Watch) -> None:
    """A callback that hangs keeps the process from getting empty: the others go on."""
    with slots.enter(Lane.URGENT):
        slots.wish()
        assert not may_enter(slots)
        watch.at += CALLBACKS_OUT_SECONDS - 0.1
        assert not may_enter(slots)
        watch.at += 0.1
        assert may_enter(slots)
        assert not may_enter(slots, Lane.BULK)


def test_callbacks_are_kept_out_once_a_minute_at_most(slots: Slots, watch: Watch) -> None:
    """However long one of them hangs, and however long a wish has become meanwhile."""
    out = 0
    with slots.enter(Lane.URGENT):
        for _ in range(int(HUNG_SECONDS) - 1):
            watch.at += 1.0
            if not slots.wished:
                slots.wish()
            out += not may_enter(slots)
    assert 0 < out <= CALLBACKS_OUT_SECONDS * math.ceil(HUNG_SECONDS / CALLBACKS_IN_SECONDS)


def test_a_wish_ends_by_itself(slots: Slots, watch: Watch) -> None:
    """A process that does not get empty goes on as before, and for as long as it was in vain."""
    with slots.enter(Lane.BULK):
        slots.wish()
        watch.at += EMPTY_WITHIN_SECONDS
        assert not slots.wished
        assert all(may_enter(slots, lane) for lane in Lane)
        with slots.alone() as mine:
            assert not mine
    assert not slots.wish()
    watch.at += EMPTY_WITHIN_SECONDS
    assert slots.wish()


def test_who_is_long_at_work_makes_a_wish_vain(slots: Slots, watch: Watch) -> None:
    """Nobody is kept out at first for one who has been here for half a minute already."""
    with slots.enter(Lane.URGENT):
        watch.at += EMPTY_WITHIN_SECONDS
        assert not slots.wish()
        assert may_enter(slots, Lane.BULK)
        watch.at += EMPTY_WITHIN_SECONDS - 0.1
        assert not slots.wish()
        assert may_enter(slots, Lane.BULK)


def test_each_wish_in_vain_makes_the_next_one_last_longer(slots: Slots, watch: Watch) -> None:
    """Until it outlasts everything that is not taken for hung; granted, all is as before."""
    lasted = []
    for _ in range(5):
        with slots.enter(Lane.BULK):
            lasted.append(slots.wish())
            watch.at += lasted[-1] + EMPTY_WITHIN_SECONDS
    assert lasted == [30.0, 60.0, 120.0, HUNG_SECONDS, HUNG_SECONDS]
    assert slots.wish()
    with slots.alone() as mine:
        assert mine
    assert slots.wish() == EMPTY_WITHIN_SECONDS


@pytest.mark.parametrize("seconds", [20, 45, 90, 170])
def test_suspects_have_their_turn_beside_long_tasks(
    slots: Slots, watch: Watch, seconds: int
) -> None:
    """A new one every ten seconds, so that somebody has always been here for long."""
    granted: list[float] = []
    at_work: list[tuple[float, contextlib.ExitStack]] = []
    for _ in range(3600):
        watch.at += 1.0
        for ends_at, task in list(at_work):
            if ends_at <= watch.at:
                task.close()
                at_work.remove((ends_at, task))
        if watch.at % 10 == 0:
            task = contextlib.ExitStack()
            if task.enter_context(slots.enter(Lane.BULK)):
                at_work.append((watch.at + seconds, task))
        if slots.wished or slots.wish():
            with slots.alone() as mine:
                granted += [watch.at] if mine else []
    assert len(granted) >= 8
    assert max(b - a for a, b in itertools.pairwise(granted)) < 450


def test_a_thread_that_hangs_for_ever_counts_no_more(slots: Slots, watch: Watch) -> None:
    """Its lease was given up: whoever runs beside it is alone."""
    with slots.enter(Lane.BULK):
        watch.at += HUNG_SECONDS
        assert slots.wish()
        assert not may_enter(slots)
        with slots.alone() as mine:
            assert mine


def test_one_that_takes_long_alone_is_alone_no_more(slots: Slots, watch: Watch) -> None:
    """After a while callbacks run beside it; it has to end before anybody is alone again."""
    slots.wish()
    with slots.alone():
        watch.at += ALONE_SECONDS
        assert all(may_enter(slots, lane) for lane in Lane)
        slots.wish()
        with slots.alone() as other:
            assert not other


def test_being_alone_ends_with_an_error_too(slots: Slots) -> None:
    """Whatever was raised."""
    slots.wish()
    with pytest.raises(ZeroDivisionError), slots.alone():
        raise ZeroDivisionError
    assert may_enter(slots)


def test_of_many_threads_one_is_alone(slots: Slots) -> None:
    """Twelve threads leave at once and ask: one of them is alone."""
    slots.wish()
    asked = threading.Barrier(12)

    def ask(_number: int) -> bool:
        with slots.alone() as mine:
            asked.wait(10)
            return mine

    assert sorted(at_once(12, ask)) == [False] * 11 + [True]
