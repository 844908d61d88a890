"""Promises of an interpreter that is to be on time."""

import gc
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from worker import interpreter


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """The other tests of this process are not concerned."""
    interval, thresholds = sys.getswitchinterval(), gc.get_threshold()
    yield
    sys.setswitchinterval(interval)
    gc.set_threshold(*thresholds)
    gc.unfreeze()


def test_what_is_loaded_is_never_walked_over_again() -> None:
    """A collection of everything has next to nothing left to look at."""
    gc.collect()
    loaded = len(gc.get_objects())

    interpreter.be_on_time()

    assert len(gc.get_objects()) < loaded / 10
    assert gc.get_freeze_count() > 0.9 * loaded


def test_garbage_of_the_work_is_still_collected() -> None:
    """What is made after that and forgotten in a circle does not stay."""

    class Made:
        """Counted by its type."""

    interpreter.be_on_time()
    made = Made()
    made.itself = made  # type: ignore[attr-defined]
    del made

    gc.collect()

    assert not any(isinstance(one, Made) for one in gc.get_objects())


def test_threads_that_wake_up_are_let_in_soon() -> None:
    """Sixteen busy threads don't make the seventeenth wait for its slot's whole length."""
    interpreter.be_on_time()

    assert sys.getswitchinterval() * 16 < 0.02


@pytest.mark.parametrize("command", ["worker", "web"])
def test_each_process_that_must_be_on_time_says_so(command: str, tmp_path: Path) -> None:
    """The receiver and the workers call it, once they are ready to serve."""
    told = f"""
import os, sys
from worker import interpreter
interpreter.be_on_time = lambda: os._exit(43)
sys.argv = ["waggle", "{command}"]
from worker.cli.main import main
main()
"""
    environment = {"PATH": "/usr/bin:/bin", "WAGGLE_HOME": str(tmp_path), "PORT": "0"}

    done = subprocess.run(
        [sys.executable, "-c", told], env=environment, check=False, timeout=60, capture_output=True
    )

    assert done.returncode == 43, done.stderr.decode()
