"""The bench calls nothing a success that was not done."""

from collections.abc import Callable
from typing import Any, cast

import pytest

from bench import measuring, report
from bench.figures import Figures
from bench.plan import Plan
from bench.scenarios import Scenarios
from bench.vendor import Served
from bench.world import World
from simulators.limiter import Limiter
from simulators.limiter_counts import Report

PLAN = Plan(kinds=("gcra",))
LIMITED = len(PLAN.jobs(0, PLAN.limited))


class Told:
    """A world that says what a test has it say: how much was served, and how much landed."""

    def __init__(
        self, served: Callable[[range], Served], landed: Callable[[range], tuple[int, float | None]]
    ) -> None:
        self.served, self.landed = served, landed
        self.limiter = Limiter(None)  # type: ignore[arg-type]  # nothing is asked
        self.vendor = self

    def begin(self, *_: object) -> None:
        """Nothing to do."""

    def report(self) -> Report:
        """Nobody was refused."""
        return Report({})


class Side:
    """Waggle, as far as nothing has to be done."""

    name = "waggle"

    def prepare(self, *_: object, **__: object) -> None:
        """Always ready."""

    def start(self, *_: object) -> None:
        """Nothing to start."""

    def settle(self) -> None:
        """Always settled."""


@pytest.fixture
def measured(monkeypatch):
    """Measures a told world by a clock that sleeping moves."""
    at = [0.0]
    monkeypatch.setattr(measuring.time, "sleep", lambda seconds: at.append(at[-1] + seconds))
    monkeypatch.setattr(measuring.time, "monotonic", lambda: at[-1])

    def run(scenario: str, world: Told) -> list[Figures]:
        plan = Plan(kinds=("gcra",), scenarios=(scenario,))
        told: Any = cast(World, world)
        return list(Scenarios(plan, told, Side(), place="x", workers=2).run())

    return run


def everything(seconds: float) -> Callable[[range], Served]:
    """All of it served, the last one so late."""
    return lambda jobs: Served(len(jobs), len(jobs), 0.0, seconds)


def all_landed(jobs: range) -> tuple[int, float | None]:
    """All of it written."""
    return len(jobs), 3.0


@pytest.mark.parametrize("scenario", ["known", "unknown"])
def test_what_is_quick_and_lands_holds(measured, scenario):
    """As quick as the ideal, nothing refused."""
    found = measured(scenario, Told(everything(11.0), all_landed))

    assert [each.broken for each in found] == [[]]
    assert report.holds(found)


@pytest.mark.parametrize("scenario", ["known", "unknown"])
def test_what_was_read_and_never_written_is_not_done(measured, scenario):
    """The vendor has served all of it in time; no datapoint followed."""
    (found,) = measured(scenario, Told(everything(11.0), lambda _: (0, None)))

    assert found.broken == ["not all of it landed in time"]


def test_one_percent_too_slow_is_told(measured):
    """The promise for a bucket of a known size is 1.05."""
    (found,) = measured("known", Told(everything(11.0 * 1.06), all_landed))

    assert "1.060 of the ideal" in found.broken[0]


def test_the_closed_ones_have_to_be_done_in_the_end(measured):
    """Others are as quick as without them; they themselves never come."""

    def served(jobs: range) -> Served:
        return everything(3.0)(jobs) if jobs.start == 0 else Served(0, 700, 0.0, None)

    found = measured(
        "closed", Told(served, lambda jobs: all_landed(jobs) if jobs.start == 0 else (0, None))
    )

    assert found[1].broken == ["the others were not done in time"]
    assert not report.holds(found)


def test_a_measure_that_was_not_taken_excuses_nothing(measured):
    """Without a makespan of the others alone there is nothing to be as quick as."""
    asked: list[range] = []

    def served(jobs: range) -> Served:
        asked.append(jobs)  # twice for each measurement
        return Served(len(jobs) - (len(asked) <= 2), 700, 0.0, 1000.0)

    found = measured("closed", Told(served, all_landed))

    assert "nothing to compare it with" in found[1].broken
