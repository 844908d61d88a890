"""The keeper knows when a receiver listened: whose connection broke then was dropped by it."""

from pathlib import Path
from typing import Any

import pytest

from tests.chaos.keeper import Keeper, Life


def keeper(*lives: Life) -> Keeper:
    """One that has kept these."""
    return Keeper({}, {}, Path(), 0, lives=list(lives))


def receiver(*, ready: float | None, ended: float | None, name: str = "web") -> Life:
    """A process that is over by the time of the judgement."""
    process: Any = None
    return Life(name, process, 0.0, ready=ready, ended=ended)


@pytest.mark.parametrize(
    ("since", "until", "served"),
    [(10, 20, True), (4, 20, False), (10, 30, False), (10, 31, False)],
    ids=["all the time", "not ready yet", "just killed", "killed before"],
)
def test_a_receiver_that_listened_all_the_time(since: float, until: float, *, served: bool) -> None:
    """From the sending to the end of the connection, and not two of them after one another."""
    first, second = receiver(ready=5, ended=30), receiver(ready=30.5, ended=60)
    assert keeper(first, second).served(since, until) is served


def test_no_other_process_serves() -> None:
    """A worker that lives answers nobody, and a receiver that never listened neither."""
    lives = receiver(ready=1, ended=None, name="worker1"), receiver(ready=None, ended=None)
    assert not keeper(*lives).served(10, 20)
