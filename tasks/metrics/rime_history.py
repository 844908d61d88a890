"""The runs of a connector or pipeline, read with as few pages as can be right.

The vendor documents neither an order of its lists nor a filter by time, and a run that ended today
may have started weeks ago, far down the list. So the first read takes all pages. Those after it
stop early, for a day, where the whole list was seen to fall from the newest start to the oldest: at
the page that lies before all that may have changed. Before it are the runs that started in the
last day or since an hour before the list was read whole, and every run that had not ended then.
Behind it are runs that were known and over; their ends are remembered. What changes there all the
same, such as an old run that is tried again, is seen within a day; the days of a week are looked
at, unless somebody sets fewer.

A list that falls is written down when it was read whole (`tasks.metrics.rime_written`): the other
processes, and this one after a restart, begin with it. What came since they look for in any case.

A limit may stop a long list in the middle, again and again. The next read goes on from there, where
the starts fall or rise: then what came meanwhile stands at an end that is read afterwards.
"""

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

import structlog

from clients.errors import AuthFailed, Permanent, Transient
from clients.gate import ClosedError
from clients.rime import RimeClient, Run
from clients.rime_paths import Kind
from db.notebook import Learned
from tasks.metrics import rime_written
from tasks.notebook import MemoryNotebook, Notebook

WHOLE_FOR_SECONDS = 86400.0
HALTED_FOR_SECONDS = 3600.0  # so long a cursor may be good
RECENT_SECONDS = 86400.0  # for so long a run may be tried again, and is looked at each time
NOTED_SECONDS = 3600.0  # so often a list is written down that is read whole each time
LATE_SECONDS = 3600.0  # so late a run that has started may come to stand in the list

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """Whose runs: a connector's or a pipeline's, by its id."""

    kind: Kind
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Whole:
    """A list that was read to its end, begun at `read_at` (UTC seconds), and what came since.

    `until`: on the monotonic clock. `falls`: from the newest start to the oldest. `resumed`: it
    was not read in one go. `noted_at`: when the list was read that was written down last.
    """

    runs: dict[str, Run]
    falls: bool
    read_at: float
    until: float
    resumed: bool = False
    noted_at: float | None = None


@dataclass(slots=True, kw_only=True)
class _Reading:
    """The pages of one read so far, begun at `read_at` (UTC seconds), `began` (monotonic)."""

    read_at: float
    began: float
    cursor: str | None = None
    runs: dict[str, Run] = field(default_factory=dict)
    starts: list[float] = field(default_factory=list)
    falls: bool = True
    rises: bool = True

    def add(self, runs: Iterable[Run]) -> None:
        """One page more. A run that comes again was moved on by new ones: it counts once."""
        for run in runs:
            if run.id not in self.runs:
                self._sort(run.started)
            self.runs[run.id] = run

    def _sort(self, started: float | None) -> None:
        if started is None:
            self.falls = self.rises = False
            return
        if self.starts:
            self.falls = self.falls and started <= self.starts[-1]
            self.rises = self.rises and started >= self.starts[-1]
        self.starts.append(started)

    def has_order(self) -> bool:
        """Do the starts only fall, or only rise? Of equal ones nothing is to be learned."""
        return self.falls != self.rises


@dataclass(slots=True)
class History:
    """The runs of one project. Used by many threads: each reads for itself."""

    client: RimeClient
    project: str
    notebook: Notebook = field(default_factory=MemoryNotebook)
    monotonic: Callable[[], float] = time.monotonic
    _known: dict[Place, _Whole] = field(default_factory=dict)
    _halted: dict[Place, _Reading] = field(default_factory=dict)

    def runs(self, place: Place, *, now: float) -> list[Run]:
        """Every run of the list, each once. `now`: UTC seconds.

        Those that started a day ago may be as they were up to a day ago, if they were over then.
        Raises the tree of `clients.errors`, and `ClosedError`.
        """
        known = self._known.get(place)
        if known is None or self.monotonic() >= known.until:
            known = self._recalled(place, now)
        if known is None or not known.falls:
            known = self._known[place] = self._whole(place, now)
            if not (known.resumed and known.falls):
                return list(self._written_down(place, known).runs.values())
        return list(self._topped_up(place, known, now=now).runs.values())

    def _topped_up(self, place: Place, known: _Whole, *, now: float) -> _Whole:
        """What is known with the newest pages; the whole list again where that is not enough."""
        reading = _Reading(read_at=now, began=self.monotonic())
        for page in self.client.runs(self.project, place.kind, place.id):
            reading.add(page.runs)
            if _is_enough(known, reading):
                whole = replace(known, runs=known.runs | reading.runs, resumed=False)
                break
        else:
            whole = replace(_done(reading), noted_at=known.noted_at)
        self._known[place] = whole
        if not whole.falls:
            self.notebook.forget([_name(place)])
            return whole
        return self._written_down(place, whole)

    def _recalled(self, place: Place, now: float) -> _Whole | None:
        """What any process has read whole within a day."""
        name = _name(place)
        fact = self.notebook.learned([name]).get(name)
        if fact is None or not 0.0 <= now - fact.at < WHOLE_FOR_SECONDS:
            return None
        runs = rime_written.read(fact.value)
        if runs is None:
            return None
        return _Whole(
            runs={run.id: run for run in runs},
            falls=True,
            read_at=fact.at,
            until=self.monotonic() + WHOLE_FOR_SECONDS - (now - fact.at),
            noted_at=fact.at,
        )

    def _written_down(self, place: Place, whole: _Whole) -> _Whole:
        """Write down a list that others can go on from, where that is worth it."""
        soon = whole.noted_at is not None and whole.read_at < whole.noted_at + NOTED_SECONDS
        if soon or not whole.falls or len(whole.runs) > rime_written.MOST:
            return whole
        fact = Learned(rime_written.written(whole.runs.values()), whole.read_at)
        self.notebook.learn({_name(place): fact})
        noted = self._known[place] = replace(whole, noted_at=whole.read_at)
        return noted

    def _whole(self, place: Place, now: float) -> _Whole:
        halted = self._halted.pop(place, None)
        if halted is not None and self.monotonic() < halted.began + HALTED_FOR_SECONDS:
            try:
                self._read_on(place, halted)
            except AuthFailed:
                raise
            except Permanent as error:  # such as a cursor that is not good any more
                log.info("rime.list_begun_anew", reason=str(error))
            else:
                if halted.has_order():
                    return replace(_done(halted), resumed=True)
        reading = _Reading(read_at=now, began=self.monotonic())
        self._read_on(place, reading)
        return _done(reading)

    def _read_on(self, place: Place, reading: _Reading) -> None:
        pages = self.client.runs(self.project, place.kind, place.id, cursor=reading.cursor)
        try:
            for page in pages:
                reading.add(page.runs)
                reading.cursor = page.cursor
        except (ClosedError, Transient):
            if reading.cursor is not None and reading.has_order():
                self._halted[place] = reading
            raise


def _name(place: Place) -> str:
    return json.dumps(["runs", place.kind, place.id])


def _done(reading: _Reading) -> _Whole:
    return _Whole(
        runs=reading.runs,
        falls=reading.falls and reading.has_order(),
        read_at=reading.read_at,
        until=reading.began + WHOLE_FOR_SECONDS,
    )


def _is_enough(known: _Whole, reading: _Reading) -> bool:
    """Is all that follows these pages known, over, and a day old?"""
    if not (reading.falls and reading.has_order()):
        return False
    settled = known.read_at - LATE_SECONDS
    if reading.starts[-1] >= min(settled, reading.read_at - RECENT_SECONDS):
        return False
    # A run that should have been there then came to stand where nobody looks: so may others.
    read = reading.runs.values()
    if any(run.id not in known.runs and (run.started or 0.0) < settled for run in read):
        return False
    return all(run.is_over or run.id in reading.runs for run in known.runs.values())
