"""Reading and writing datapoints: upsert by requestid, days."""

import math
from collections.abc import Mapping
from typing import Any, Literal

from simulators import beeminder_days as days
from simulators import beeminder_views as views
from simulators.beeminder_state import BeeminderState, Change, Datapoint, Goal
from simulators.beeminder_tokens import ApiError, not_found

_PER_PAGE = 25


class DuplicateError(ApiError):
    """An identical resend; `point` is what stands, None if it was deleted and stays so."""

    def __init__(self, point: Datapoint | None) -> None:
        super().__init__(422, {"errors": "Duplicate request"})
        self.point = point


def create(
    state: BeeminderState, goal: Goal, params: Mapping[str, Any], *, via: str | None
) -> dict[str, Any]:
    """POST of one point: it, with its `status`. ApiError 422."""
    try:
        point, status = upsert(state, goal, params, via=via)
    except DuplicateError as exc:
        if exc.point is None or state.resends == "refused":
            raise
        return views.datapoint(exc.point)
    return {**views.datapoint(point), "status": status}


def upsert(
    state: BeeminderState, goal: Goal, params: Mapping[str, Any], *, via: str | None
) -> tuple[Datapoint, Literal["created", "updated"]]:
    """Creates a point, or updates the one with the same requestid.

    ApiError 422 for a bad value or day, `DuplicateError` for a resend that changes nothing.
    """
    with state.lock:
        _refuse_frozen(state, goal)
        value = _value(params)
        timestamp = _timestamp(state, goal, params)
        requestid = str(params["requestid"]) if params.get("requestid") else None
        known = by_requestid(goal, requestid)
        if known is not None:
            _update(state, goal, known, value=value, params=params, timestamp=timestamp, via=via)
            return known, "updated"
        if requestid in goal.deleted_requestids and not state.reuses_requestids:
            raise DuplicateError(None)
        now = state.clock()
        if timestamp is None:
            timestamp = int(now)
        point = Datapoint(
            id=state.new_id(),
            timestamp=timestamp,
            daystamp=state.daystamp(goal, timestamp),
            value=value,
            comment=str(params.get("comment") or ""),
            requestid=requestid,
            origin="web" if via is None else "api" if via == "personal" else via,
            creator=goal.owner,
            landed_at=now,
            changed_at=now,
        )
        goal.datapoints[point.id] = point
        _note(state, goal, point, "created", via)
        return point, "created"


def change(
    state: BeeminderState,
    goal: Goal,
    datapoint_id: str,
    params: Mapping[str, Any],
    *,
    via: str | None,
) -> Datapoint:
    """PUT on one point: value, comment, timestamp. ApiError 404 or 422."""
    with state.lock:
        _refuse_frozen(state, goal)
        point = _by_id(goal, datapoint_id)
        value = _value(params) if "value" in params else point.value
        timestamp = _timestamp(state, goal, params)
        _apply(state, goal, point, value=value, params=params, timestamp=timestamp)
        _note(state, goal, point, "updated", via)
        return point


def delete(state: BeeminderState, goal: Goal, datapoint_id: str, *, via: str | None) -> Datapoint:
    """Removes one point and returns it. ApiError 404."""
    with state.lock:
        point = _by_id(goal, datapoint_id)
        del goal.datapoints[point.id]
        if point.requestid:
            goal.deleted_requestids.add(point.requestid)
        _note(state, goal, point, "deleted", via)
        return point


def listed(goal: Goal, params: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One page: `sort` descending (default id), `count`, or `page` with `per`."""
    key = str(params.get("sort") or "id")
    points = [views.datapoint(point) for point in goal.datapoints.values()]
    if points and key not in points[0]:
        raise ApiError(422, {"errors": f"cannot sort by {key}"})
    # None sorts before everything else, and ids break ties.
    points.sort(key=lambda point: (point[key] is not None, point[key] or 0, point["id"]))
    points.reverse()
    if (page := _count(params, "page")) is not None:
        per = _count(params, "per") or _PER_PAGE
        first = (max(1, page) - 1) * per
        return points[first : first + per]
    count = _count(params, "count")
    return points if count is None else points[:count]


def _refuse_frozen(state: BeeminderState, goal: Goal) -> None:
    if (goal.frozen or goal.is_archived(state.clock())) and state.frozen_status is not None:
        raise ApiError(state.frozen_status, {"errors": "Goal must be restarted to accept data"})


def _count(params: Mapping[str, Any], name: str) -> int | None:
    try:
        return int(params[name]) if params.get(name) not in (None, "") else None
    except (TypeError, ValueError):
        raise ApiError(422, {"errors": {name: ["is not a number"]}}) from None


def _value(params: Mapping[str, Any]) -> float:
    given = params.get("value")
    if given in (None, ""):
        raise ApiError(422, {"errors": {"value": ["can't be blank", "is not a number"]}})
    try:
        value = float(given)
    except (TypeError, ValueError):
        value = math.nan
    if not math.isfinite(value):
        raise ApiError(422, {"errors": {"value": ["is not a number"]}})
    return value


def _timestamp(state: BeeminderState, goal: Goal, params: Mapping[str, Any]) -> int | None:
    """The timestamp wins over the daystamp; None if neither was sent."""
    if params.get("timestamp") not in (None, ""):
        try:
            return int(float(params["timestamp"]))
        except (TypeError, ValueError, OverflowError):
            raise ApiError(422, {"errors": {"timestamp": ["is not a number"]}}) from None
    if params.get("daystamp") not in (None, ""):
        zone = state.users[goal.owner].timezone
        try:
            return days.last_second_of(str(params["daystamp"]), zone=zone, deadline=goal.deadline)
        except (ValueError, OverflowError):
            raise ApiError(422, {"errors": {"daystamp": ["is invalid"]}}) from None
    return None


def by_requestid(goal: Goal, requestid: str | None) -> Datapoint | None:
    """The point that carries it, None if none does."""
    if requestid is None:
        return None
    return next((p for p in goal.datapoints.values() if p.requestid == requestid), None)


def _by_id(goal: Goal, datapoint_id: str) -> Datapoint:
    point = goal.datapoints.get(datapoint_id)
    if point is None:
        raise not_found()
    return point


def _update(
    state: BeeminderState,
    goal: Goal,
    point: Datapoint,
    *,
    value: float,
    params: Mapping[str, Any],
    timestamp: int | None,
    via: str | None,
) -> None:
    if not params.get("timestamp") and str(params.get("daystamp")) == point.daystamp:
        timestamp = None  # the day it is on already
    same = {
        "value": value == point.value,
        "comment": "comment" not in params or str(params["comment"] or "") == point.comment,
        "timestamp": timestamp in (None, point.timestamp),
    }
    if all(same[name] for name in state.compares):
        _note(state, goal, point, "duplicate", via)
        raise DuplicateError(point)
    _apply(state, goal, point, value=value, params=params, timestamp=timestamp)
    _note(state, goal, point, "updated", via)


def _apply(
    state: BeeminderState,
    goal: Goal,
    point: Datapoint,
    *,
    value: float,
    params: Mapping[str, Any],
    timestamp: int | None,
) -> None:
    point.value = value
    if "comment" in params:
        point.comment = str(params["comment"] or "")
    if timestamp is not None:
        point.timestamp = timestamp
        point.daystamp = state.daystamp(goal, timestamp)
    point.changed_at = state.clock()


def _note(
    state: BeeminderState,
    goal: Goal,
    point: Datapoint,
    kind: Literal["created", "updated", "duplicate", "deleted"],
    via: str | None,
) -> None:
    if kind != "duplicate":
        state.touch(goal)
    state.history.append(
        Change(
            at=state.clock(),
            username=goal.owner,
            goal_id=goal.id,
            slug=goal.slug,
            kind=kind,
            id=point.id,
            requestid=point.requestid,
            daystamp=point.daystamp,
            value=point.value,
            comment=point.comment,
            via=via,
        )
    )
