"""One clock for all machines: the database's, carried on by the local monotonic one."""

import inspect
import threading
import time
from collections.abc import Callable

import pytest
import structlog

from db import clock
from db.clock import LedgerClock
from db.engine import Ledger


class Steps:
    """A monotonic clock that moves when it is told to; `between` happens within its next look."""

    def __init__(self) -> None:
        self.at = 100.0
        self.between: list[Callable[[], object]] = []

    def __call__(self) -> float:
        """Where it stood when it was looked at."""
        stood = self.at
        if self.between:
            self.between.pop(0)()
        return stood


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Decides what the database answers to "what time is it?"."""
    answers = [1000.0]
    monkeypatch.setattr(LedgerClock, "_ask", lambda _self: answers[0])

    def answer(at: float) -> None:
        answers[0] = at

    return answer


def answer_after(monkeypatch: pytest.MonkeyPatch, steps: Steps, took: list[float]) -> None:
    """The database answers at once, and the answers are so many seconds on their way."""

    def ask(_self: LedgerClock) -> float:
        there = 1000.0 + steps.at
        steps.at += took.pop(0)
        return there

    monkeypatch.setattr(LedgerClock, "_ask", ask)


def test_it_is_the_time_of_the_database(ledger: Ledger) -> None:
    """Within a few seconds of this machine's time, and it moves on."""
    found = LedgerClock(ledger)
    first = found.now()
    assert abs(first - time.time()) < 5
    assert found.now() >= first


def test_between_questions_the_monotonic_clock_carries_it(
    ledger: Ledger, asked: Callable[[float], None]
) -> None:
    """For a minute nobody is asked: a clock that somebody sets moves nothing."""
    steps = Steps()
    found = LedgerClock(ledger, monotonic=steps)
    asked(5000.0)

    steps.at += 59
    assert found.now() == 1059.0


def test_after_a_minute_the_database_is_asked_again(
    ledger: Ledger, asked: Callable[[float], None]
) -> None:
    """A small drift is corrected without a word."""
    steps = Steps()
    found = LedgerClock(ledger, monotonic=steps)
    asked(1061.5)
    steps.at += 61

    with structlog.testing.capture_logs() as logs:
        assert found.now() == 1061.5
    assert logs == []


@pytest.mark.parametrize("jump", [-30.0, 30.0])
def test_a_jump_is_told(ledger: Ledger, asked: Callable[[float], None], jump: float) -> None:
    """Somebody set the database's clock: it is followed, and logged by how much."""
    steps = Steps()
    found = LedgerClock(ledger, monotonic=steps)
    asked(1061.0 + jump)
    steps.at += 61

    with structlog.testing.capture_logs() as logs:
        assert found.now() == 1061.0 + jump
    assert [(entry["event"], entry["seconds"]) for entry in logs] == [("clock.jumped", jump)]
    assert clock.JUMP_SECONDS < 30


@pytest.mark.parametrize("look", [0, 1])
def test_a_thread_that_asks_again_moves_nothing_for_another(
    ledger: Ledger, asked: Callable[[float], None], look: int
) -> None:
    """One looks while another one asks the database again: both are right, to the millisecond."""
    steps = Steps()
    found = LedgerClock(ledger, monotonic=steps)
    steps.at += 59.999
    asked(1060.009)

    def ask_again() -> None:
        steps.at += 0.01
        asking = threading.Thread(target=found.now)
        asking.start()
        asking.join()

    steps.between = [lambda: None] * look + [ask_again]
    assert abs(found.now() - 1060.0) < 0.02
    assert abs(found.now() - 1060.0) < 0.02


def test_the_way_to_the_database_does_not_put_it_ahead(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A first connection that takes three seconds: what was answered holds from its end on."""
    steps = Steps()

    def ask(_self: LedgerClock) -> float:
        steps.at += 3.0
        return 1000.0 + steps.at

    monkeypatch.setattr(LedgerClock, "_ask", ask)
    found = LedgerClock(ledger, monotonic=steps)
    assert found.now() == 1000.0 + steps.at
    steps.at += 61
    assert found.now() == 1000.0 + steps.at


def test_an_answer_that_was_long_on_its_way_is_not_the_one_that_counts(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Late by its way back, a worker would not see what it is rung for: it asks again."""
    steps, took = Steps(), [0.4, 0.03, 0.001, 0.5]
    answer_after(monkeypatch, steps, took)
    found = LedgerClock(ledger, monotonic=steps)

    assert found.now() == pytest.approx(1000.0 + steps.at - 0.001)
    assert took == [0.5]


def test_a_database_that_is_always_slow_is_not_asked_for_long(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The quicker one of two counts, and nobody waits for a third."""
    steps, took = Steps(), [0.2, 0.3, 0.001]
    answer_after(monkeypatch, steps, took)
    found = LedgerClock(ledger, monotonic=steps)

    assert found.now() == pytest.approx(1000.0 + steps.at - 0.2)
    assert took == [0.001]


def test_the_time_in_which_the_machine_sleeps_is_carried_too() -> None:
    """Where there is a clock that counts suspensions it is that one, elsewhere one nobody sets."""
    carries = inspect.signature(LedgerClock).parameters["monotonic"].default
    assert carries is clock.since_boot
    assert getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC) == clock.STEADY
    before = time.clock_gettime(clock.STEADY)
    assert before <= clock.since_boot() <= time.clock_gettime(clock.STEADY)
