"""Reads many feeds of one Bime account with one request for each list.

Bime has no counts, no filters and no history: a list is what there is now. So every record is
written down when it is seen, and days are counted from what is written down. What was counted stays
counted when it is deleted or changed again at Bime, and an unchanged list costs a 304.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import clients
from clients.bime import Fresh, Unchanged
from clients.bime_answers import Validators
from clients.bime_models import RESOURCES, Record, Resource
from clients.errors import AuthFailed, ClientError, Unavailable, UnexpectedResponse
from clients.gate import ClosedError
from db.notebook import Validated
from tasks.days import Window
from tasks.metrics import bime_notes
from tasks.metrics.bime_notes import Derived, Facet
from tasks.notebook import Notebook
from tasks.providers import Answer, Found, Reading, Request

NOBODY_THERE = frozenset({"timeout", "connect_failed"})
METRICS: Mapping[str, tuple[Resource, Facet]] = {
    "dashboards_created": ("dashboards", "created"),
    "dashboards_updated": ("dashboards", "updated"),
    "dashboards_published": ("dashboards", "published"),
}


@dataclass(frozen=True, slots=True)
class _Question:
    """One request, and what is counted for it."""

    request: Request
    resource: Resource
    facet: Facet


class Reader:
    """Reads one account; what it knows is in the notebook."""

    def __init__(self, client: clients.BimeClient, notebook: Notebook) -> None:
        self._client = client
        self._notebook = notebook

    def read(self, requests: Sequence[Request]) -> dict[int, Answer]:
        """Readings per feed and day; see `tasks.providers.Connection`."""
        by_list: dict[Resource, list[_Question]] = {}
        for request in requests:
            question = _question(request)
            by_list.setdefault(question.resource, []).append(question)
        answers: dict[int, Answer] = {}
        silent: Unavailable | None = None
        for resource, questions in by_list.items():
            if silent is not None:  # the next list would cost another deadline
                answers |= {one.request.key: silent for one in questions}
                continue
            try:
                answers |= self._answers(resource, questions)
            except AuthFailed:
                raise  # of the whole source
            except (ClientError, ClosedError) as error:
                answers |= {one.request.key: error for one in questions}
                if isinstance(error, Unavailable) and error.reason in NOBODY_THERE:
                    silent = error
        return answers

    def look(self) -> list[Found]:
        """What is at the account; of named users no more than id and name."""
        return [
            Found(resource, one.id, one.title, one.detail)
            for resource in RESOURCES
            for one in _fresh(self._client.records(resource)).value
        ]

    def _answers(self, resource: Resource, questions: Sequence[_Question]) -> dict[int, Answer]:
        now = max(one.request.now for one in questions)
        derived, lacking = self._derived(resource, {one.facet for one in questions}, now)
        answers: dict[int, Answer] = {}
        for one in questions:
            error = lacking.get(one.facet)
            answers[one.request.key] = self._readings(one, derived) if error is None else error
        return answers

    def _derived(
        self, resource: Resource, wanted: set[Facet], now: float
    ) -> tuple[Derived, dict[Facet, UnexpectedResponse]]:
        """What the list comes to, and what of it can't be counted because a field is missing."""
        noted = self._notebook.validated(resource)
        known = None if noted is None else Derived.from_json(noted.derived)
        conditions = None
        # Without the value that a 304 would stand for nothing is asked conditionally.
        if noted is not None and known is not None and wanted <= known.facets:
            conditions = Validators(noted.etag, noted.last_modified)
        answer = self._client.records(resource, conditions)
        if isinstance(answer, Unchanged):
            return cast("Derived", known), {}  # only a condition is answered so
        derived = bime_notes.derive(answer.value, known=known, now=now)
        self._note(resource, answer, derived)
        lacking = {
            facet: _lacks(resource, answer, bime_notes.FIELDS[facet])
            for facet in wanted - derived.facets
        }
        return derived, lacking

    def _note(self, resource: Resource, answer: Fresh[list[Record]], derived: Derived) -> None:
        """In one transaction: from now on a 304 stands for the sightings as well."""
        records, validators = answer.value, answer.validators
        each = {}
        if resource == "dashboards":
            kind = bime_notes.kind(resource, "updated")
            each[kind] = bime_notes.updated(records, derived)
        self._notebook.write(
            resource,
            Validated(validators.etag, validators.last_modified, derived.as_json()),
            once={bime_notes.kind(resource, "created"): bime_notes.created(records, derived)},
            each=each,
        )

    def _readings(self, question: _Question, derived: Derived) -> dict[str, Reading]:
        now = question.request.now
        return {
            day.daystamp: self._reading(question, day, derived, now)
            for day in question.request.days
        }

    def _reading(self, question: _Question, day: Window, derived: Derived, now: float) -> Reading:
        unit = question.resource.replace("_", " ")
        if day.starts_at > now:
            return Reading(None, unit, "this day has not begun")
        if question.facet == "published":
            if day.ends_at <= now:
                return Reading(None, unit, "Bime tells only how many are published now")
            return Reading(float(derived.published), unit)
        # What bears a later time than ours did not happen yet.
        until = min(day.ends_at, math.nextafter(now, math.inf))
        kind = bime_notes.kind(question.resource, question.facet)
        count = self._notebook.count(kind, day.starts_at, until)
        if question.facet == "updated" and not count and day.ends_at <= derived.since:
            # A later change hides an earlier one, so it may have been more: no zero.
            return Reading(None, unit, "nobody looked for changes on this day")
        return Reading(float(count), unit)


def _question(request: Request) -> _Question:
    known = METRICS.get(request.metric)
    if known is not None:
        return _Question(request, *known)
    resource = cast("Resource", request.params.model_dump()["resource"])
    return _Question(request, resource, "created")


def _fresh(answer: Fresh[list[Record]] | Unchanged) -> Fresh[list[Record]]:
    """The answer to a request without a condition; the client lets no 304 through to one."""
    return cast("Fresh[list[Record]]", answer)


def _lacks(resource: Resource, answer: Fresh[list[Record]], name: str) -> UnexpectedResponse:
    place = bime_notes.lacking(answer.value, name)
    return UnexpectedResponse(
        f"the answer to GET {resource} does not fit: field {place}.{name} is missing",
        request_id=answer.request_id,
    )
