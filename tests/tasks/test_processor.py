"""Whose turn it is: callbacks first, then few steps of what is scheduled, and nobody for ever."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tasks.processor import AT_ONCE, LATELY_SECONDS, PATIENCE, Processor
from tests.tasks.live.conftest import until
from tests.tasks.scenes import InThread

LONG = 30.0  # seconds: nobody in these tests waits for so long


class Process:
    """One whose clock stands still unless it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.processor = Processor(monotonic=lambda: self.now)

    def turn(self, patience: float = LONG, *, computes: bool = True) -> "Work":
        """A piece of scheduled work that comes to its next step."""
        return Work(self.processor, patience, computes=computes)

    def call(self) -> None:
        """A callback comes, and is answered."""
        with self.processor.callback():
            pass


class Work:
    """A thread that waits for its turn, and is in its step until it is `over`."""

    def __init__(self, processor: Processor, patience: float, *, computes: bool) -> None:
        self.goes_on, self._ends = threading.Event(), threading.Event()

        def work() -> None:
            processor.turn(patience, computes=computes)
            self.goes_on.set()
            self._ends.wait(LONG)
            processor.leave()

        self._thread = InThread(work)

    def over(self) -> None:
        """The piece is over."""
        self._ends.set()
        self._thread.join()


@pytest.fixture
def process() -> Process:
    """Nothing is at work."""
    return Process()


@contextmanager
def working(process: Process, count: int) -> Iterator[list[Work]]:
    """So many pieces in their steps, which are over at the end."""
    with ExitStack() as stack:
        made = [process.turn() for _ in range(count)]
        for work in made:
            stack.callback(work.over)
            assert work.goes_on.wait(LONG)
        yield made


def test_a_step_waits_for_the_callback_that_is_at_work(process: Process) -> None:
    """And goes on when it is answered."""
    with process.processor.callback():
        work = process.turn()
        until(lambda: process.processor.crowded)
        assert not work.goes_on.is_set()
    assert work.goes_on.wait(LONG)
    work.over()


def test_of_two_callbacks_both_are_waited_for(process: Process) -> None:
    """The end of the first is not the end."""
    with process.processor.callback():
        with process.processor.callback():
            work = process.turn()
            until(lambda: process.processor.crowded)
        assert process.processor.crowded
        assert not work.goes_on.is_set()
    assert work.goes_on.wait(LONG)
    work.over()


def test_a_callback_that_fails_is_over_too(process: Process) -> None:
    """Nobody waits for one that has ended."""
    with pytest.raises(ZeroDivisionError), process.processor.callback():
        raise ZeroDivisionError
    process.now += LATELY_SECONDS
    with working(process, AT_ONCE):
        assert not process.processor.crowded


def test_where_no_callbacks_come_a_few_compute_at_once(process: Process) -> None:
    """More would only take Python's lock from each other."""
    with working(process, AT_ONCE) as made:
        last = process.turn()
        until(lambda: process.processor.crowded)
        assert not last.goes_on.is_set()
        made[0].over()
        assert last.goes_on.wait(LONG)
        last.over()


def test_while_callbacks_come_one_computes(process: Process) -> None:
    """Between two of them; it is so for a moment after the last."""
    process.call()
    with working(process, 1):
        second = process.turn()
        until(lambda: process.processor.crowded)
        assert not second.goes_on.is_set()
    assert second.goes_on.wait(LONG)
    second.over()

    process.now += LATELY_SECONDS
    assert process.processor.calm
    with working(process, AT_ONCE):
        assert not process.processor.crowded


def test_whoever_waits_for_a_vendor_is_in_nobodys_way(process: Process) -> None:
    """Others compute meanwhile: as many as if it were not there."""
    asks = process.turn(computes=False)
    assert asks.goes_on.wait(LONG)
    with working(process, AT_ONCE):
        assert not process.processor.crowded
    asks.over()


def test_a_step_ends_where_the_next_one_begins(process: Process) -> None:
    """Whoever takes one turn after the other has one, and leaves it by waiting for a vendor."""
    for _ in range(3 * AT_ONCE):
        process.processor.turn(0.0)
    with working(process, AT_ONCE - 1):
        process.processor.turn(0.0, computes=False)
        with working(process, 1):
            assert not process.processor.crowded


@pytest.mark.parametrize("others", ["a callback", "a step"])
def test_nobody_waits_without_an_end(process: Process, others: str) -> None:
    """A callback whose source hangs, or a step in a database that does, stop nothing for ever."""
    with ExitStack() as stack:
        if others == "a callback":
            stack.enter_context(process.processor.callback())
        else:
            stack.enter_context(working(process, AT_ONCE))
        process.processor.turn(0.01)
        process.processor.leave()
    assert PATIENCE <= 1.0


def test_as_many_as_wait_go_on_in_the_end(process: Process) -> None:
    """One after the other, and nobody is forgotten."""
    with process.processor.callback():
        made = [process.turn() for _ in range(12)]
        until(lambda: process.processor.crowded)
    process.now += LATELY_SECONDS
    left = set(made)
    while left:
        until(lambda: any(work.goes_on.is_set() for work in left))
        for work in [work for work in left if work.goes_on.is_set()]:
            work.over()
            left.remove(work)
    assert not process.processor.crowded
