"""A short chaos: everything breaks, a third of all calls too, and Beeminder is right in the end."""

import shutil
from pathlib import Path

import pytest

from tests.chaos import plan
from tests.chaos.run import Size, run

pytestmark = [pytest.mark.chaos, pytest.mark.blackbox, pytest.mark.timeout(300)]

SHORT = Size(seconds=9.0, people=3, goals=4, clients=40, gap=2.0, hold=4.0)
RUNS = [(1, plan.PLACES[0]), (4, plan.PLACES[1])]  # of these more than one kind of server breaks


@pytest.mark.parametrize(("seed", "place"), RUNS, ids=[place for _, place in RUNS])
@pytest.mark.services
def test_nothing_is_lost_and_nothing_is_twice(tmp_path: Path, seed: int, place: str) -> None:
    """Killed, frozen, cut, full: in the end Beeminder holds exactly what the sources say."""
    verdict = run(seed, place, SHORT, folder=tmp_path)

    assert verdict.holds, f"python -m tests.chaos --seed {seed} --place {place}\n{verdict}"
    shutil.rmtree(tmp_path)
