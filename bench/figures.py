"""What is measured, what was promised, and whether it holds."""

from dataclasses import asdict, dataclass, field
from typing import Any

from simulators.limiter_counts import Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One measurement: `side` is `waggle` or `celery`, `window` says how the vendor counts."""

    scenario: str
    window: str
    place: str
    workers: int
    side: str


@dataclass(slots=True, kw_only=True)
class Figures:
    """The outcome of a case.

    Seconds from the first request: `ideal` (what no client beats), `makespan` (until the vendor
    served the last job) and `landed` (until its datapoint was written); None: not in time.
    Requests: `served` (more than there are jobs: some were wasted) and `refused`, of which
    `on_their_way` came within 100 ms of the first refusal of a closing and `late` after that;
    `early` came in a time that a refusal had closed.
    `others`: seconds from the opening of a closed tenant until its last job was served.
    """

    case: Case
    jobs: int
    ideal: float
    makespan: float | None = None
    landed: float | None = None
    served: int = 0
    refused: int = 0
    closings: int = 0
    on_their_way: int = 0
    late: int = 0
    early: int = 0
    others: float | None = None
    broken: list[str] = field(default_factory=list)

    def count(self, report: Report, *, served: int) -> None:
        """Take over what the vendor has counted."""
        tallies = report.keys.values()
        self.served, self.refused, self.early = served, report.refused, report.early
        self.closings = sum(tally.closings for tally in tallies)
        self.on_their_way = sum(tally.on_their_way for tally in tallies)
        self.late = report.late

    @property
    def ratio(self) -> float | None:
        """The makespan in ideals."""
        return None if self.makespan is None or not self.ideal else self.makespan / self.ideal

    def must_land(self) -> None:
        """A job that was read at the vendor and never written is not done."""
        if self.landed is None:
            self.broken.append("not all of it landed in time")

    def must_not(self, what: str, count: int) -> None:
        """A promise that is broken by a single one."""
        if count:
            self.broken.append(f"{count} {what}")

    def within(self, factor: float) -> None:
        """The promise of a makespan of at most so many ideals."""
        if self.makespan is None:
            self.broken.append("not done in time")
        elif self.ratio is None:
            self.broken.append("nothing to compare it with")
        elif self.ratio > factor:
            self.broken.append(f"{self.ratio:.3f} of the ideal is more than {factor:g}")

    def as_json(self) -> dict[str, Any]:
        """All of it."""
        found = asdict(self)
        return {**found.pop("case"), **found, "ratio": self.ratio}
