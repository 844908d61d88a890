"""How Beeminder tells of a create_all that failed in part: what `simulators.beeminder_shapes` calls
container, successes, errors, resend and whole.
"""

import json
from typing import Any

from clients.beeminder_probe import Heard
from tasks.probing_answers import Answer, Asked

WRONG = "not a number"


def ask(asked: Asked) -> dict[str, Answer]:
    """A batch with a wrong value, and one with a datapoint that stands already."""
    good, bad = asked.fields("batch-good"), asked.fields("batch-bad") | {"value": WRONG}
    partial = _write(asked, [good, bad])
    stored = asked.find(good["requestid"]) is not None
    stands, new = asked.fields("batch-stands"), asked.fields("batch-new")
    asked.write(stands)
    again = _write(asked, [stands, new])
    shape: dict[str, Any] = {"whole": not stored, **_shape(partial.body, bad["requestid"])}
    shape["resend"] = _resend(again.body, stands["requestid"])
    known = all(value is not None for value in shape.values())
    return {
        "partial_status": Answer(partial.status, asked.shown(partial), simulated=True),
        "batch_shape": Answer(
            shape if known else None,
            f"{asked.shown(partial)}; with a resend {asked.shown(again)}",
            simulated=True,
        ),
    }


def _write(asked: Asked, points: list[dict[str, Any]]) -> Heard:
    form = {"datapoints": json.dumps(points)}
    return asked.hear("POST", f"{asked.goal}/datapoints/create_all", form)


def _parts(body: Any) -> tuple[list[Any], Any]:  # noqa: ANN401 -- any JSON
    """(successes, errors) of either container."""
    if isinstance(body, dict):
        return list(body.get("successes") or []), body.get("errors") or []
    elements = list(body or [])
    good = [one for one in elements if _is_success(one)]
    return good, [one for one in elements if one not in good]


def _is_success(element: Any) -> bool:  # noqa: ANN401 -- any JSON
    if not isinstance(element, dict) or element.keys() & {"message", "error", "errors"}:
        return False
    return "id" in element.get("datapoint", element)


def _shape(body: Any, wrong: str) -> dict[str, Any]:  # noqa: ANN401 -- any JSON
    successes, errors = _parts(body)
    nested = bool(successes) and isinstance(successes[0], dict) and "datapoint" in successes[0]
    return {
        "container": "object" if isinstance(body, dict) else "list",
        "successes": "nested" if nested else "plain",
        "errors": _errors(errors, wrong),
    }


def _errors(errors: Any, wrong: str) -> str | None:  # noqa: ANN401 -- any JSON
    if isinstance(errors, dict):
        return "mapping" if wrong in errors else "reasons"
    first = errors[0] if isinstance(errors, list) and errors else None
    if not isinstance(first, dict):
        return None if first is None else "reasons"
    if "datapoint" in first:
        return "nested"
    if "message" in first:
        return "shown"
    return "objects" if first.get("requestid") == wrong else "reasons"


def _resend(body: Any, requestid: str) -> str | None:  # noqa: ANN401 -- any JSON
    if body is None:
        return None
    successes, errors = _parts(body)
    for one in successes:
        point = one.get("datapoint", one) if isinstance(one, dict) else {}
        if point.get("requestid") == requestid:
            return "duplicate" if "duplicate" in json.dumps(one).lower() else "silent"
    return "error" if errors else "omitted"
