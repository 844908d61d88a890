"""Reads many feeds of one BEMServer with few requests.

The server's own buckets are calendar days, and its multi-unit buckets are wrong in several cases;
Beeminder days end when the goal says. So the server is asked for hours of width one where every
day starts and ends on a full hour, and for the raw samples where one does not. Feeds that ask for
the same state, span, aggregation and unit share a request.
"""

import contextlib
import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol, cast

import clients
from clients.errors import (
    AuthFailed,
    ClientError,
    Forbidden,
    NotFound,
    Permanent,
    Rejected,
    Transient,
    Unavailable,
)
from clients.gate import ClosedError
from tasks.knowledge import Knowledge
from tasks.metrics import bemserver_days
from tasks.metrics.bemserver_days import Aggregation
from tasks.metrics.bemserver_names import Meant, Named, Names
from tasks.providers import Answer, Found, Reading, Request

HOUR = 3600
INTERNAL_ERROR = 500
SERIES_PER_REQUEST = 50  # keeps the URL short

ServerSide = Literal["sum", "count", "min", "max"]


class SeriesParams(Named, Protocol):
    """Which series, and how; see `tasks.metrics.bemserver.Params`."""

    aggregation: Aggregation
    convert_to: str | None


@dataclass(frozen=True, slots=True)
class _Question:
    """One request, and what it means."""

    request: Request
    params: SeriesParams
    meant: Meant
    hourly: bool

    @property
    def span(self) -> tuple[float, float]:
        days = self.request.days
        return min(day.starts_at for day in days), max(day.ends_at for day in days)


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads many feeds of one BEMServer with few requests."""

    client: clients.BemserverClient
    knowledge: Knowledge

    def read(self, requests: Sequence[Request]) -> dict[int, Answer]:
        """Readings per feed and day; see `tasks.providers.Connection`."""
        names = Names(self.client, self.knowledge)
        answers, questions = self._resolved(names, requests)
        answers |= self._asked(questions)
        # Where the server refuses what was only remembered, something else may be meant by now.
        doubtful = [
            question
            for question in questions
            if isinstance(answers[question.request.key], Forbidden | NotFound | Rejected)
            and names.remembered(question.params)
        ]
        if doubtful:
            # Neighbours are answered, whatever comes now; the next read begins with what is new.
            with contextlib.suppress(Transient):
                answers |= self._asked_anew(doubtful)
        return answers

    def _resolved(
        self, names: Names, requests: Sequence[Request]
    ) -> tuple[dict[int, Answer], list[_Question]]:
        """What is asked with, and an error for each request that names what is not there."""
        answers: dict[int, Answer] = {}
        questions: list[_Question] = []
        names.look_up(_params(request) for request in requests)
        try:
            for request in requests:
                try:
                    questions.append(_question(request, names.meant(_params(request))))
                except AuthFailed:
                    raise  # of the whole source: each further request would log in in vain again
                except (Permanent, ClosedError) as error:
                    answers[request.key] = error
        finally:
            self.knowledge.write_down()
        return answers, questions

    def _asked(self, questions: Iterable[_Question]) -> dict[int, Answer]:
        answers: dict[int, Answer] = {}
        for _, alike in itertools.groupby(sorted(questions, key=_group), key=_group):
            group = list(alike)
            for start in range(0, len(group), SERIES_PER_REQUEST):
                some = group[start : start + SERIES_PER_REQUEST]
                try:
                    answers |= self._ask(some)
                except ClosedError as error:
                    answers |= {question.request.key: error for question in some}
        return answers

    def _asked_anew(self, doubtful: Sequence[_Question]) -> dict[int, Answer]:
        """What these mean when nothing is remembered; asked again where that is another thing."""
        names = Names(self.client, self.knowledge)
        names.forget(question.params for question in doubtful)
        answers, questions = self._resolved(names, [question.request for question in doubtful])
        before = {question.request.key: question.meant for question in doubtful}
        return answers | self._asked(
            question for question in questions if question.meant != before[question.request.key]
        )

    def look(self) -> Sequence[Found]:
        """Campaigns, the first page of series with their units, and data states."""
        campaigns = self.client.campaigns()
        names = {campaign.id: campaign.name for campaign in campaigns}
        found = [Found("campaign", str(campaign.id), campaign.name) for campaign in campaigns]
        series, total = self.client.some_timeseries()
        for one in series:
            of = names.get(one.campaign_id or 0, "")
            unit = f"in {one.unit_symbol}" if one.unit_symbol else "without a unit"
            detail = f"{unit}, campaign {of}" if of else unit
            found.append(Found("timeseries", str(one.id), one.name, detail))
        if total > len(series):
            found.append(Found("timeseries", "…", f"and {total - len(series)} more"))
        states = sorted(self.client.data_states())
        return [*found, *(Found("data state", name) for name in states)]

    def _ask(self, questions: list[_Question]) -> dict[int, Answer]:
        """One request for all of them; if it is refused, smaller ones, to find who is to blame."""
        try:
            return self._fetch(questions)
        except AuthFailed:
            raise
        except Permanent as error:
            refused: ClientError = error
        except Unavailable as error:
            if error.status != INTERNAL_ERROR or error.retry_after is not None:
                raise
            if questions[0].hourly and questions[0].params.convert_to:
                # Aggregates answer 500 to a unit that does not fit; raw samples say what is wrong.
                return self._ask([replace(question, hourly=False) for question in questions])
            refused = error
            if len(questions) > 1 and self._is_down(questions):
                return {question.request.key: refused for question in questions}
        if len(questions) == 1:
            return {questions[0].request.key: refused}
        middle = len(questions) // 2
        return self._ask(questions[:middle]) | self._ask(questions[middle:])

    def _is_down(self, questions: list[_Question]) -> bool:
        """Does a 500 come from the server, or from one of the series? One can't be both ends."""
        for question in (questions[0], questions[-1]):
            try:
                self._fetch([question])
            except Unavailable:
                continue
            except Permanent:
                return False
            return False
        return True

    def _fetch(self, questions: list[_Question]) -> dict[int, Answer]:
        first = questions[0]
        selector = clients.ById(tuple(dict.fromkeys(q.meant.series.id for q in questions)))
        unit = first.params.convert_to
        starts_at, ends_at = first.span
        if not first.hourly:
            raw = self.client.data(
                selector,
                start=starts_at,
                end=ends_at,
                data_state=first.meant.state,
                convert_to=unit,
            )
            return {
                q.request.key: _readings(
                    q,
                    bemserver_days.of_samples(
                        q.params.aggregation,
                        q.request.days,
                        raw[str(q.meant.series.id)],
                        q.request.now,
                    ),
                )
                for q in questions
            }
        # A bucket holds all samples of its hour, and those of the hour that has begun may be
        # forecasts: these are asked for one by one.
        nows = [q.request.now for q in questions]
        begun = min(nows) // HOUR * HOUR
        hours = {
            name: self.client.aggregate(
                selector,
                start=starts_at,
                end=min(ends_at, begun),
                data_state=first.meant.state,
                aggregation=name,
                unit="hour",
                convert_to=None if name == "count" else unit,
            )
            for name in _server_side(first.params.aggregation)
        }
        latest = self.client.data(
            selector,
            start=max(starts_at, begun),
            end=max(starts_at, begun, min(ends_at, max(nows) + 1)),
            data_state=first.meant.state,
            convert_to=None if first.params.aggregation == "count" else unit,
        )
        return {
            q.request.key: _readings(
                q,
                bemserver_days.of_hours(
                    q.params.aggregation,
                    q.request.days,
                    {
                        name: bemserver_days.with_samples(
                            name, found[str(q.meant.series.id)], latest[str(q.meant.series.id)]
                        )
                        for name, found in hours.items()
                    },
                    q.request.now,
                ),
            )
            for q in questions
        }


def _params(request: Request) -> SeriesParams:
    return cast("SeriesParams", request.params)  # this provider has one metric


def _question(request: Request, meant: Meant) -> _Question:
    params = _params(request)
    aligned = all(day.starts_at % HOUR == 0 == day.ends_at % HOUR for day in request.days)
    return _Question(request, params, meant, hourly=aligned and _in_hours(params))


def _group(question: _Question) -> tuple[object, ...]:
    how = question.params.aggregation if question.hourly else "raw"
    # One series asked in two units needs two requests: the server takes a unit per series.
    unit = question.params.convert_to or ""
    return question.meant.state, how, question.span, unit


def _in_hours(params: SeriesParams) -> bool:
    """Can a day be put together from the server's hours?

    Not its last sample; and a sum is not to be converted where the unit has an offset (degrees).
    """
    converted = params.convert_to is not None and params.aggregation in ("sum", "avg")
    return params.aggregation != "last" and not converted


def _server_side(aggregation: Aggregation) -> tuple[ServerSide, ...]:
    """What the server is asked for: an average is put together here."""
    if aggregation == "avg":
        return ("sum", "count")
    if aggregation == "last":
        message = "the last sample of a day is not an aggregate of the server's"
        raise ValueError(message)
    return (aggregation,)


def _readings(question: _Question, values: dict[str, float | None]) -> dict[str, Reading]:
    unit = question.params.convert_to or question.meant.series.unit
    if question.params.aggregation == "count":
        unit = "samples"
    readings = {}
    for daystamp, value in values.items():
        if value is None:
            readings[daystamp] = Reading(None, unit, "no samples on this day")
        elif not math.isfinite(value):
            readings[daystamp] = Reading(None, unit, "the server holds a value that is not finite")
        else:
            readings[daystamp] = Reading(value, unit)
    return readings
