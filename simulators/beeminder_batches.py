"""create_all: many datapoints in one request, with every known and plausible way to fail."""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from simulators import beeminder_datapoints as points
from simulators import beeminder_shapes as shapes
from simulators import beeminder_views as views
from simulators.beeminder_shapes import Element
from simulators.beeminder_state import BeeminderState, Goal
from simulators.beeminder_tokens import ApiError


class TooManyError(Exception):
    """The batch is bigger than `batch_limit`: the server gives up with a page."""


def create_all(
    state: BeeminderState, goal: Goal, params: Mapping[str, Any], *, via: str | None
) -> tuple[int, Any]:
    """Status and body: a list if all went well, else what `state.batch_shape` makes of it.

    ApiError 422 if no array of objects was sent. `TooManyError` above `state.batch_limit`, where
    nothing has been stored.
    """
    asked = params.get("datapoints")
    if isinstance(asked, str):
        try:
            asked = json.loads(asked)
        except ValueError as exc:
            raise ApiError(422, {"errors": "Error parsing params (datapoints)"}) from exc
    if not isinstance(asked, list) or not all(isinstance(entry, dict) for entry in asked):
        raise ApiError(422, {"errors": "datapoints must be an array of objects"})
    if state.batch_limit is not None and len(asked) > state.batch_limit:
        raise TooManyError
    shape = state.batch_shape
    with state.lock:
        before = {known: dataclasses.replace(point) for known, point in goal.datapoints.items()}
        happened = len(state.history)
        elements = [_written(state, goal, entry, via=via) for entry in asked]
        refused = any(shapes.failed(shape, element) for element in elements)
        if refused and shape.whole:
            goal.datapoints = before
            del state.history[happened:]
            reasons = [element.reason for element in elements if shapes.failed(shape, element)]
            return 422, {"errors": reasons}
        return state.partial_status if refused else 200, shapes.told(shape, elements)


def _written(
    state: BeeminderState, goal: Goal, entry: Mapping[str, Any], *, via: str | None
) -> Element:
    try:
        point, status = points.upsert(state, goal, entry, via=via)
    except points.DuplicateError as exc:
        shown = None if exc.point is None else views.datapoint(exc.point)
        return Element(sent=entry, shown=shown, status="duplicate", reason=exc.payload["errors"])
    except ApiError as exc:
        known = points.by_requestid(goal, entry.get("requestid"))
        shown = None if known is None else views.datapoint(known)
        return Element(sent=entry, shown=shown, status=None, reason=exc.payload["errors"])
    return Element(sent=entry, shown=views.datapoint(point), status=status)
