"""Scheduled work beside callbacks: it goes on, and takes no more than its share."""

import threading

import pytest

from tasks.allowance import (
    LATE_SECONDS,
    LATE_SHARE,
    LONGEST_SECONDS,
    SHARE,
    Allowance,
)
from tasks.processor import LATELY_SECONDS, Processor
from tests.tasks.live.conftest import until
from tests.tasks.scenes import InThread


class Process:
    """One with callbacks, or without, whose clock only waits move."""

    def __init__(self, *, called: bool) -> None:
        self.now = 1000.0
        self.called = called
        self.stops = False
        self.processor = Processor(monotonic=lambda: self.now)
        self.allowance = Allowance(self.processor, monotonic=lambda: self.now)

    def call(self) -> None:
        """A callback comes, and is answered."""
        with self.processor.callback():
            pass

    def wait(self, seconds: float) -> bool:
        """Callbacks come meanwhile, or none do."""
        assert 0.0 < seconds <= LATELY_SECONDS
        self.now += seconds
        if self.called:
            self.call()
        return self.stops

    def begin(self) -> bool:
        """The turn of a piece."""
        if self.called:
            self.call()
        return self.allowance.begin(self.wait)

    def work(self, *, seconds: float, pieces: int) -> float:
        """One piece after the other, each of which computes for so long; how long all took."""
        began = self.now
        for _ in range(pieces):
            assert self.begin()
            self.now += seconds
            self.allowance.took(seconds)
        return self.now - began


@pytest.mark.parametrize("seconds", [0.001, 0.02, 0.25])
def test_while_callbacks_come_it_takes_no_more_than_its_share(seconds: float) -> None:
    """However long a piece computes, and it is never shut out."""
    process = Process(called=True)

    pieces = min(200, int(0.8 * LATE_SECONDS * SHARE / seconds))  # it has more after that

    share = pieces * seconds / process.work(seconds=seconds, pieces=pieces)

    assert SHARE * 0.8 < share < SHARE * 1.05


def test_what_is_held_back_for_long_has_more() -> None:
    """Where its share is too little for what is scheduled it would never be done in time."""
    process = Process(called=True)
    process.work(seconds=0.25, pieces=int(LATE_SECONDS * SHARE / 0.25) + 10)

    share = 50.0 / process.work(seconds=0.25, pieces=200)

    assert LATE_SHARE * 0.8 < share < LATE_SHARE * 1.05


def test_who_has_kept_up_is_held_back_anew() -> None:
    """More is for those who need it, until they have done what was waiting."""
    process = Process(called=True)
    process.work(seconds=0.25, pieces=int(LATE_SECONDS * SHARE / 0.25) + 10)
    process.now += 5.0  # nothing was due

    share = 20.0 / process.work(seconds=0.25, pieces=80)

    assert share < SHARE * 1.05


def test_without_callbacks_nothing_is_waited_for() -> None:
    """All of the processor is there for what is scheduled."""
    process = Process(called=False)

    assert process.work(seconds=0.25, pieces=20) == pytest.approx(5.0)


def test_it_has_all_again_a_moment_after_the_last_callback() -> None:
    """What it owes from then is forgiven."""
    process = Process(called=True)
    process.work(seconds=0.5, pieces=5)
    process.called = False
    process.now += LATELY_SECONDS

    assert process.work(seconds=0.25, pieces=8) == pytest.approx(2.0)


def test_what_began_before_callbacks_came_is_paid_for_by_what_comes_after_it() -> None:
    """Eight may be at work by then, and nobody knew what they cost."""
    process = Process(called=False)
    assert all(process.begin() for _ in range(8))
    process.called = True
    process.call()
    for _ in range(8):
        process.allowance.took(0.05)
    before = process.now

    assert process.begin()
    assert process.now - before > 8 * (0.05 - 0.02)


def test_one_that_computes_for_minutes_does_not_shut_the_others_out_for_an_hour() -> None:
    """Nobody waits for longer than a bound."""
    process = Process(called=True)
    assert process.begin()
    process.now += 100.0
    process.allowance.took(100.0)
    before = process.now

    assert process.begin()
    assert process.now - before <= LONGEST_SECONDS + 0.001


def test_only_one_waits() -> None:
    """The slots of the others are free for other work meanwhile."""
    process = Process(called=True)
    assert process.begin()
    process.allowance.took(1.0)
    process.call()
    waits, goes = threading.Event(), threading.Event()
    found: list[bool] = []

    def wait(seconds: float) -> bool:
        waits.set()
        goes.wait(10.0)
        process.now += seconds
        return False

    thread = threading.Thread(target=lambda: found.append(process.allowance.begin(wait)))
    thread.start()
    assert waits.wait(10.0)

    assert not process.begin()
    goes.set()
    thread.join(10.0)
    assert found == [True]


def test_a_process_that_stops_does_not_begin() -> None:
    """Nor does it wait on."""
    process = Process(called=True)
    assert process.begin()
    process.allowance.took(1.0)
    process.stops = True

    assert not process.begin()


def test_nobody_begins_where_others_wait_for_their_next_step() -> None:
    """One more piece would not be over sooner, and its lease would be held for longer."""
    process = Process(called=False)
    with process.processor.callback():
        waits = InThread(lambda: process.processor.turn(10.0))
        until(lambda: process.processor.crowded)
        assert not process.begin()
    waits.join()

    assert process.begin()
