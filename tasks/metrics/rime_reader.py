"""Reads many feeds of one RIME project: each list of runs once, however many want it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, cast

import structlog

from clients.errors import AuthFailed, ClientError, Forbidden, NotFound
from clients.gate import ClosedError
from clients.rime import RimeClient, Run, Thing
from tasks.metrics import rime_counts
from tasks.metrics.rime_counts import MetricName
from tasks.metrics.rime_history import History, Place
from tasks.providers import Answer, Found, Request

log = structlog.get_logger(__name__)


class RunsParams(Protocol):
    """Whose runs; see `tasks.metrics.rime.Params`."""

    def place(self) -> Place:
        """The connector or the pipeline."""
        ...


@dataclass(slots=True)
class Reader:
    """See `tasks.providers.Connection` and `Looks`."""

    client: RimeClient
    project: str
    history: History
    _told: set[tuple[str, str]] = field(default_factory=set)

    def read(self, requests: Sequence[Request]) -> dict[int, Answer]:
        """Readings per feed and day; an error of one connector is that of its feeds alone."""
        wanted: dict[Place, list[Request]] = {}
        for request in requests:
            wanted.setdefault(cast("RunsParams", request.params).place(), []).append(request)
        answers: dict[int, Answer] = {}
        for place, asked in wanted.items():
            try:
                runs = self._runs(place, asked)
            except AuthFailed:
                raise  # of the whole source: each further request would log in in vain again
            except (ClientError, ClosedError) as error:
                answers |= {request.key: error for request in asked}
                continue
            for request in asked:
                answers[request.key] = _answer(request, runs)
        return answers

    def running(self, place: Place, *, now: float) -> list[Run]:
        """The runs of a connector or a pipeline that have not ended yet."""
        runs = self.history.runs(place, now=now)
        return [run for run in runs if run.outcome == "open" and run.ended is None]

    def look(self) -> list[Found]:
        """Projects, connectors and pipelines: one page of each."""
        found = []
        try:
            projects: list[Thing] = next(self.client.projects(), [])
            found += [Found("project", thing.id, thing.name) for thing in projects]
        except Forbidden as error:  # perhaps the key is of one project
            log.info("rime.projects_not_listed", reason=str(error))
        connectors: list[Thing] = next(self.client.connectors(self.project), [])
        found += [Found("connector", thing.id, thing.name, thing.state) for thing in connectors]
        try:
            pipelines: list[Thing] = next(self.client.pipelines(self.project), [])
        except NotFound:
            return found  # their path is not published: this server has another
        found += [Found("pipeline", thing.id, thing.name, thing.state) for thing in pipelines]
        return found

    def _runs(self, place: Place, asked: Sequence[Request]) -> list[Run]:
        since = min((day.starts_at for request in asked for day in request.days), default=0.0)
        now = max(request.now for request in asked)
        runs = self.history.runs(place, now=now)
        for run in runs:
            self._tell(run, place, since)
        return runs

    def _tell(self, run: Run, place: Place, since: float) -> None:
        """Log a status that nobody knows: its first run, and each that has ended with it."""
        if run.outcome != "unknown" or (run.ended is not None and run.ended < since):
            return
        key = (run.status, "" if run.ended is None else run.id)
        if key not in self._told:
            self._told.add(key)
            log.warning(
                "rime.unknown_status",
                status=run.status[:40],
                run=run.id,
                counted=False,
                ended=run.ended is not None,
                **{place.kind: place.id},
            )


def _answer(request: Request, runs: Sequence[Run]) -> Answer:
    metric = cast("MetricName", request.metric)
    try:
        return rime_counts.readings(metric, runs, request.days, now=request.now)
    except ClientError as error:
        return error
