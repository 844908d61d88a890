"""Promises of work in a command's own process: it ends between two steps, or as by kill -9."""

import os
import signal

import pytest

from tasks.runtime import Stopping
from worker.cli import working
from worker.cli.house import opened


@pytest.fixture
def house(here, monkeypatch):
    """The house as a command has it."""
    for name, value in here.env.items():
        monkeypatch.setenv(name, value)
    with opened() as made:
        yield made


@pytest.fixture(autouse=True)
def handlers():
    """What the signals do is put back, whatever a test left."""
    before = {number: signal.getsignal(number) for number in working.STOPS}
    yield before
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", working.STOPS)
def test_a_signal_waits_for_the_next_step(house, handlers, number, capfd):
    """Nothing is raised where it comes; the step does, and behind the block it is a Ctrl-C."""
    seen = []

    def work():
        with working.here(house) as rt:
            signal.raise_signal(number)
            seen.append("went on")
            with pytest.raises(Stopping):
                rt.step("here")
            rt.step("here")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert seen == ["went on"]
    assert capfd.readouterr().err == working.STOPPING
    assert {number: signal.getsignal(number) for number in working.STOPS} == handlers


def test_what_had_ended_by_then_has_ended(house):
    """A signal at the last moment takes no result away."""
    with working.here(house) as rt:
        signal.raise_signal(signal.SIGINT)
        ended = rt.stopping.is_set()
    assert ended


def test_a_second_one_is_as_quick_as_a_kill(house):
    """It is the system's own: nothing of ours runs, so nothing of ours can hang."""
    with working.here(house):
        signal.raise_signal(signal.SIGINT)
        found = {signal.getsignal(number) for number in working.STOPS}
    assert found == {signal.SIG_DFL}


def test_nobody_has_to_read_what_is_said(house):
    """A closed stderr keeps the work from nothing."""
    kept = os.dup(2)
    os.close(2)
    try:
        with working.here(house) as rt:
            signal.raise_signal(signal.SIGINT)
            ended = rt.stopping.is_set()
    finally:
        os.dup2(kept, 2)
        os.close(kept)
    assert ended


def test_what_is_ignored_stays_ignored(house):
    """As in the background of a shell, whose Ctrl-C is for somebody else."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with working.here(house) as rt:
        signal.raise_signal(signal.SIGINT)
        rt.step("here")
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
