"""Beeminder's API, as far as a source of data needs it: read goals, write datapoints.

Whatever charges people or changes a goal's bright red line can't be asked for with this client.
"""

import json
import re
import time
import urllib.parse
from collections.abc import Callable, Sequence
from typing import ClassVar

import httpx

from clients import beeminder_batch, beeminder_models, errors, redaction, translation
from clients.answers import Answer
from clients.beeminder_models import (
    BatchOutcome,
    Datapoint,
    Goal,
    GoalWithRoad,
    NewDatapoint,
    Token,
    User,
    Written,
)
from clients.gate import Gate
from clients.http import MIB, ApiClient, Route
from clients.limits import Limits

_NAME = re.compile(r"[A-Za-z0-9_-]+")
_GOAL = rf"users/me/goals/{_NAME.pattern}"


def _route(method: str, pattern: str) -> Route:
    return method, re.compile(pattern + r"\.json")


class BeeminderClient(ApiClient):
    """One person's Beeminder, reached with their token."""

    vendor = "Beeminder"
    allowed: ClassVar[Sequence[Route]] = (
        _route("GET", "users/me"),
        _route("GET", "users/me/goals"),
        _route("GET", "users/me/goals/archived"),
        _route("GET", _GOAL),
        _route("PUT", _GOAL),
        _route("GET", rf"{_GOAL}/refresh_graph"),
        _route("GET", rf"{_GOAL}/datapoints"),
        _route("POST", rf"{_GOAL}/datapoints"),
        _route("POST", rf"{_GOAL}/datapoints/create_all"),
        _route("PUT", rf"{_GOAL}/datapoints/{_NAME.pattern}"),
        _route("DELETE", rf"{_GOAL}/datapoints/{_NAME.pattern}"),
    )

    def __init__(
        self,
        *,
        http: httpx.Client,
        token: Token,
        base_url: str = "https://www.beeminder.com",
        gate: Gate | None = None,
        deadline: float = 20.0,
        max_bytes: int = 32 * MIB,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(
            http=http,
            base_url=base_url.rstrip("/") + "/api/v1",
            gate=gate,
            deadline=deadline,
            max_bytes=max_bytes,
            clock=clock,
            monotonic=monotonic,
        )
        self._token = token

    def me(self) -> User:
        """The person whom the token belongs to. https://api.beeminder.com/#getuser."""
        return self._request("GET", "users/me.json").parsed(beeminder_models.USER)

    def goals(self) -> list[Goal]:
        """All goals that are not archived. https://api.beeminder.com/#getgoals."""
        answer = self._request("GET", "users/me/goals.json", params={"emaciated": "true"})
        return answer.parsed(beeminder_models.GOALS)

    def archived_goals(self) -> list[Goal]:
        """The goals that were put away. https://api.beeminder.com/#getarchivedgoals."""
        params = {"emaciated": "true"}
        answer = self._request("GET", "users/me/goals/archived.json", params=params)
        return answer.parsed(beeminder_models.GOALS)

    def goal(self, slug: str) -> Goal:
        """One goal. https://api.beeminder.com/#getgoal."""
        answer = self._request("GET", f"{_goal(slug)}.json", params={"emaciated": "true"})
        return answer.parsed(beeminder_models.GOAL)

    def goal_with_road(self, slug: str) -> GoalWithRoad:
        """One goal with its bright red line; a bigger answer. https://api.beeminder.com/#getgoal.

        The line is empty while Beeminder can't draw the graph.
        """
        answer = self._request("GET", f"{_goal(slug)}.json")
        return answer.parsed(beeminder_models.GOAL_WITH_ROAD)

    def refresh_graph(self, slug: str) -> bool:
        """Ask Beeminder to fetch the goal's data anew; True if it is queued.

        It calls back the goal's data source, so never ask while such a callback is served, and
        very sparingly otherwise. https://api.beeminder.com/#refresh
        """
        answer = self._request("GET", f"{_goal(slug)}/refresh_graph.json")
        return answer.parsed(beeminder_models.QUEUED)

    def datapoints(
        self,
        slug: str,
        *,
        sort: str = "id",
        count: int | None = None,
        page: int | None = None,
        per: int | None = None,
    ) -> list[Datapoint]:
        """Datapoints, descending by `sort`; `count` is ignored with `page` (1-based, `per` each).

        https://api.beeminder.com/#dataall
        """
        given = {"sort": sort, "count": count, "page": page, "per": per}
        params = {name: value for name, value in given.items() if value is not None}
        answer = self._request("GET", f"{_goal(slug)}/datapoints.json", params=params)
        return answer.parsed(beeminder_models.DATAPOINTS)

    def create(self, slug: str, point: NewDatapoint) -> Written:
        """Write a datapoint, or update the one with its requestid; a resend is a "duplicate".

        https://api.beeminder.com/#postdata
        """
        form = {name: _field(value) for name, value in point.fields().items()}
        path = f"{_goal(slug)}/datapoints.json"
        try:
            answer = self._request("POST", path, form=form)
        except errors.Rejected as refusal:
            if not beeminder_batch.is_duplicate(refusal):
                raise
            return beeminder_batch.duplicate(
                point.requestid, refusal.details, request_id=refusal.request_id
            )
        return beeminder_batch.written(answer, point.requestid)

    def create_all(self, slug: str, points: Sequence[NewDatapoint]) -> BatchOutcome:
        """Write many at once. What is not in `written` is unconfirmed: send it singly.

        https://api.beeminder.com/#postdatas
        """
        if not points:
            return BatchOutcome()
        if len({point.requestid for point in points}) != len(points):
            raise ValueError("a batch can't hold the same requestid twice")
        body = json.dumps([point.fields() for point in points], allow_nan=False)
        path = f"{_goal(slug)}/datapoints/create_all.json"
        try:
            answer = self._request("POST", path, form={"datapoints": body})
        except errors.Rejected as refusal:
            return beeminder_batch.refused(refusal, points)
        return beeminder_batch.outcome(answer, points)

    def update(
        self,
        slug: str,
        datapoint_id: str,
        *,
        value: float | None = None,
        comment: str | None = None,
        timestamp: int | None = None,
    ) -> Datapoint:
        """Change what is given of one datapoint. https://api.beeminder.com/#putdata."""
        fields = {"value": value, "comment": comment, "timestamp": timestamp}
        form = {name: _field(given) for name, given in fields.items() if given is not None}
        if not form:
            raise ValueError("an update needs a value, a comment or a timestamp")
        answer = self._request("PUT", _datapoint(slug, datapoint_id), form=form)
        return answer.parsed(beeminder_models.DATAPOINT)

    def delete(self, slug: str, datapoint_id: str) -> Datapoint | None:
        """Delete one datapoint; None if it is not there (any more), or came back empty.

        https://api.beeminder.com/#deletedata
        """
        try:
            answer = self._request("DELETE", _datapoint(slug, datapoint_id))
        except errors.NotFound:
            return None
        return answer.parsed(beeminder_models.DATAPOINT) if answer.body.strip() else None

    def set_datasource(self, slug: str, name: str) -> Goal:
        """Make an app the goal's data source; "" gives it back to its owner's hands.

        https://api.beeminder.com/#putgoal
        """
        answer = self._request("PUT", f"{_goal(slug)}.json", form={"datasource": name})
        return answer.parsed(beeminder_models.GOAL)

    def change_goal(
        self, slug: str, *, aggday: str | None = None, kyoom: bool | None = None
    ) -> Goal:
        """Change how the goal counts: the aggregate of a day, and whether days are added up.

        Not documented, and part of some plans only: `errors.Rejected` without one. The goal that
        comes back tells what holds now; days that are over are counted anew as well.
        https://api.beeminder.com/#putgoal
        """
        form = {} if aggday is None else {"aggday": aggday}
        if kyoom is not None:
            form["kyoom"] = "true" if kyoom else "false"
        if not form:
            raise ValueError("a change of a goal needs an aggday or a kyoom")
        answer = self._request("PUT", f"{_goal(slug)}.json", form=form)
        return answer.parsed(beeminder_models.GOAL)

    def _credentials(self, method: str) -> redaction.Credentials:
        value = self._token.value
        if self._token.kind == "oauth":
            return redaction.Credentials(headers={"Authorization": f"Bearer {value}"})
        if method == "GET":
            return redaction.Credentials(query={"auth_token": value})
        return redaction.Credentials(form={"auth_token": value})

    def _classify(self, answer: Answer, said: Limits) -> errors.ClientError | None:
        # Beeminder speaks JSON even when it says no: whatever does not is an outage. Only a
        # deletion may have nothing to say. A refusal of which a part got lost may have said that
        # the point is there already.
        error = super()._classify(answer, said)
        if isinstance(error, errors.Transient):
            return error
        silent = answer.method == "DELETE" and not answer.body.strip()
        due = not silent if error is None else answer.body.lstrip().startswith((b"{", b"["))
        if answer.is_html or (due and not _is_json(answer)):
            return translation.outage_page(answer, vendor=self.vendor, wait=said.retry_after)
        return error


def _is_json(answer: Answer) -> bool:
    try:
        answer.json()
    except errors.UnexpectedResponse:
        return False
    return True


def _field(value: str | float) -> str:
    # json's spelling of a number is the shortest that reads back as the same one.
    return value if isinstance(value, str) else json.dumps(value, allow_nan=False)


def _goal(slug: str) -> str:
    return f"users/me/goals/{_segment(slug, 'goal')}"


def _datapoint(slug: str, datapoint_id: str) -> str:
    return f"{_goal(slug)}/datapoints/{_segment(datapoint_id, 'datapoint')}.json"


def _segment(name: str, kind: str) -> str:
    # Names come from callbacks and files. What can't be a name is not asked for at all: a slash,
    # however encoded, could make another endpoint of the path.
    if not _NAME.fullmatch(name):
        shown = urllib.parse.quote(name[:40], safe="")
        raise errors.NotFound(f"Beeminder has no {kind} named {shown}: not a possible name")
    return name
