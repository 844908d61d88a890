"""One clock for all machines: the database's, carried on by the local monotonic one."""

import time
from collections.abc import Callable

import pytest
import structlog

from db import clock
from db.clock import LedgerClock
from db.engine import Ledger


class Steps:
    """A monotonic clock that moves when it is told to."""

    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        """Where it stands."""
        return self.at


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Decides what the database answers to "what time is it?"."""
    answers = [1000.0]
    monkeypatch.setattr(LedgerClock, "_ask", lambda _self: answers[0])

    def answer(at: float) -> None:
        answers[0] = at

    return answer


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
