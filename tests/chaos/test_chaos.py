"""A short chaos: everything breaks, a third of all calls too, and Beeminder is right in the end."""

import shutil
from pathlib import Path

import pytest

from tests.chaos import plan
from tests.chaos.run import run
from tests.chaos.scene import Size

pytestmark = [pytest.mark.chaos, pytest.mark.blackbox, pytest.mark.timeout(300)]

SHORT = Size(seconds=9.0, people=3, goals=3, clients=40, gap=1.6, hold=4.0)
EMBEDDED, _, REDIS = plan.PLACES
RUNS = [
    # A full disk, a frozen worker; receiver and progress are killed.
    pytest.param(15, EMBEDDED, id=EMBEDDED),
    # Both servers, and the clock; progress is killed.
    pytest.param(235, REDIS, id=REDIS, marks=pytest.mark.services),
]


@pytest.mark.parametrize(("seed", "place"), RUNS)
def test_nothing_is_lost_and_nothing_is_twice(tmp_path: Path, seed: int, place: str) -> None:
    """Killed, frozen, cut, full: in the end Beeminder holds exactly what the sources say."""
    verdict = run(seed, place, SHORT, folder=tmp_path)

    assert verdict.holds, f"python -m tests.chaos --seed {seed} --place {place}\n{verdict}"
    shutil.rmtree(tmp_path)
