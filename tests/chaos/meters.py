"""What the feeds of a run count: each kind grows at its source, and says what it holds itself.

What a day comes to is added up here from the simulator's records, never asked of Waggle.
"""

import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from simulators.bmparts_state import SHIPMENT
from simulators.main import Simulators
from simulators.rime_state import Plan, Run

YESTERDAY_CHANGES = 0.1  # the share of changes that are late data
DAY = 86400.0
QUARTERS = 4  # values are quarters: their sums are exact in any order
STATE = "Clean"
ROWS_COUNT = ("Completed", "Partially failed")
ENDS = (*(3 * ["Completed"]), "Partially failed", "Failed", "Cancelled")


@dataclass(slots=True)
class Meter:
    """One feed: `section` is what its table in the file says beside the source."""

    sims: Simulators
    source: str
    section: str
    zone: str

    def grow(self, rng: random.Random, now: float) -> None:
        """Something more is there, of today or of yesterday."""
        late = rng.random() < YESTERDAY_CHANGES
        self.add(now - DAY if late else now - rng.uniform(1, 300), rng)

    def days(self) -> dict[str, float]:
        """What each day comes to, by daystamp."""
        found: Counter[str] = Counter()
        for instant, value in self.records():
            found[datetime.fromtimestamp(instant, ZoneInfo(self.zone)).strftime("%Y%m%d")] += value
        return dict(found)

    def add(self, at: float, rng: random.Random) -> None:
        """One record more."""
        raise NotImplementedError

    def records(self) -> list[tuple[float, float]]:
        """(UTC seconds, value) of all that there is."""
        raise NotImplementedError


@dataclass(slots=True)
class Series(Meter):
    """The sum of a series of BEMServer."""

    number: int = 0

    def add(self, at: float, rng: random.Random) -> None:
        """See `Meter`."""
        value = rng.randrange(1, 40) / QUARTERS
        self.sims.bemserver.state.set_values(self.number, [(at, value)], data_state=STATE)

    def records(self) -> list[tuple[float, float]]:
        """See `Meter`."""
        state = self.sims.bemserver.state
        with state.lock:
            kept = state.samples(self.number, state.state_id(STATE)).values
            return [(instant / 1e6, value) for instant, value in kept.items()]


@dataclass(slots=True)
class Dashboards(Meter):
    """The dashboards that were made in an account of Bime."""

    account: str = ""

    def add(self, at: float, rng: random.Random) -> None:
        """See `Meter`."""
        self.sims.bime.state.add("dashboards", account=self.account, at=at)

    def records(self) -> list[tuple[float, float]]:
        """See `Meter`."""
        state = self.sims.bime.state
        with state.lock:
            made = state.records[self.account]["dashboards"].values()
            return [(datetime.fromisoformat(one["created_at"]).timestamp(), 1.0) for one in made]


@dataclass(slots=True)
class Shipments(Meter):
    """The shipments to a firm from BM Parts."""

    firm: str = ""

    def add(self, at: float, rng: random.Random) -> None:
        """See `Meter`."""
        self.sims.bmparts.state.add_documents(at, firm=self.firm)

    def records(self) -> list[tuple[float, float]]:
        """See `Meter`."""
        state = self.sims.bmparts.state
        with state.lock:
            found = state.firm(self.firm).documents
            return [(one.at, 1.0) for one in found if one.type == SHIPMENT]


@dataclass(slots=True)
class Rows(Meter):
    """The rows that the runs of a connector of RIME extracted."""

    connector: str = ""

    def add(self, at: float, rng: random.Random) -> None:
        """See `Meter`."""
        at = float(int(at))
        self.sims.rime.state.add_run(
            self.connector, rows=rng.randrange(1, 100), started_at=at - 30, finished_at=at
        )

    def records(self) -> list[tuple[float, float]]:
        """See `Meter`."""
        state = self.sims.rime.state
        with state.lock:
            runs = state.owner(self.connector).runs.values()
            return [(run.finished_at, float(run.rows)) for run in runs if run.status in ROWS_COUNT]


@dataclass(slots=True)
class FollowedRows(Rows):
    """Rows of runs that run for a while. Nobody calls for them: who follows a run tells its end."""

    runs: list[Run] = field(default_factory=list)

    def begin(self, rng: random.Random) -> None:
        """One run more, that runs until it is told when to end."""
        steps = ("extract", "load")[: rng.randrange(3)]
        self.runs.append(self.sims.rime.state.start_run(self.connector, steps=steps))

    def end(self, rng: random.Random, within: float) -> None:
        """Each run goes on for up to so many seconds from now, and ends by itself."""
        state = self.sims.rime.state
        with state.lock:
            for run in self.runs:
                lived = state.clock() - (run.started_at or 0.0)
                run.plan = Plan(
                    rows_per_second=rng.uniform(0.1, 20.0),
                    seconds=lived + rng.uniform(1.0, within),
                    ends_as=rng.choice(ENDS),
                )


def daystamp(at: float, zone: str) -> str:
    """The day of an instant; all goals here end their days at midnight."""
    return datetime.fromtimestamp(at, UTC).astimezone(ZoneInfo(zone)).strftime("%Y%m%d")
