"""How a create_all that went wrong in part may be told: nobody has seen it, so all plausible ways.

Known is only that it is an object with `successes` and `errors`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchShape:
    """One way to tell it.

    `container`: an object with both lists, or one list with everything in the order it was sent.
    `successes`: a datapoint as it is, or under the key `datapoint`. `errors`: the bare reason; an
    object with it and the requestid; one object of reasons by requestid; what was sent, under
    `datapoint`; or what was sent with the id of the point that stands, beside a `message`.
    `resend`: an identical one is an error, a success with the status "duplicate" or without a
    status, or is not mentioned. `whole`: one error, and nothing of the batch is stored.
    """

    container: Literal["object", "list"] = "object"
    successes: Literal["plain", "nested"] = "plain"
    errors: Literal["reasons", "objects", "mapping", "nested", "shown"] = "reasons"
    resend: Literal["error", "duplicate", "silent", "omitted"] = "error"
    whole: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """What became of one datapoint: `shown` is the point that stands, None where there is none.

    `status` is created, updated or duplicate; None for a refusal, whose reason is `reason`.
    """

    sent: Mapping[str, Any]
    shown: dict[str, Any] | None
    status: Literal["created", "updated", "duplicate"] | None
    reason: Any = None


def failed(shape: BatchShape, element: Element) -> bool:
    """Whether this is told as an error."""
    if element.status == "duplicate":
        # A point that was deleted can be no success: there is nothing to show.
        return shape.resend == "error" or (element.shown is None and shape.resend != "omitted")
    return element.status is None


def told(shape: BatchShape, elements: Sequence[Element]) -> list[Any] | dict[str, Any]:
    """The body of the answer; a plain list if nothing failed."""
    mentioned = [
        element
        for element in elements
        if not (element.status == "duplicate" and shape.resend == "omitted")
    ]
    refusals = [element for element in mentioned if failed(shape, element)]
    if not refusals:
        return [_success(shape, element, nested=False) for element in mentioned]
    if shape.container == "list":
        return [
            _error(shape, element)
            if element in refusals
            else _success(shape, element, nested=shape.successes == "nested")
            for element in mentioned
        ]
    successes = [
        _success(shape, element, nested=shape.successes == "nested")
        for element in mentioned
        if element not in refusals
    ]
    if shape.errors == "mapping":
        by_id = {element.sent.get("requestid"): element.reason for element in refusals}
        return {"successes": successes, "errors": by_id}
    return {"successes": successes, "errors": [_error(shape, element) for element in refusals]}


def _success(shape: BatchShape, element: Element, *, nested: bool) -> dict[str, Any]:
    silent = element.status == "duplicate" and shape.resend == "silent"
    status = {} if silent else {"status": element.status}
    if nested:
        return {"datapoint": element.shown, **status}
    return {**(element.shown or {}), **status}


def _error(shape: BatchShape, element: Element) -> Any:  # noqa: ANN401 - that is the point
    match shape.errors:
        case "objects":
            return {"requestid": element.sent.get("requestid"), "errors": element.reason}
        case "mapping":
            return {element.sent.get("requestid"): element.reason}
        case "nested":
            return {"datapoint": dict(element.sent), "error": element.reason}
        case "shown":
            known = {} if element.shown is None else {"id": element.shown["id"]}
            return {**element.sent, **known, "message": element.reason}
        case _:
            return element.reason
