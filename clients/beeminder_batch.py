"""What Beeminder's answers to writes confirm, read with the least possible trust.

The shape of partial failures is not documented, so only an element that names our requestid and
an id confirms a write; everything else is left unconfirmed and costs one more request at most.
"""

import json
import re
from collections.abc import Collection
from typing import cast

import httpx

from clients import errors
from clients.answers import Answer, error_text, pruned
from clients.beeminder_models import BatchOutcome, Written, WrittenStatus

_DUPLICATE = re.compile("duplicate", re.IGNORECASE)
_STATUSES = ("created", "updated", "duplicate")
# Our own words may come back in these; a comment about duplicates proves nothing.
_ECHOES = frozenset({"comment", "requestid", "urtext", "fulltext", "canonical"})


def is_duplicate(refusal: errors.Rejected) -> bool:
    """True when the refusal says that an identical datapoint is there already."""
    return refusal.status == httpx.codes.UNPROCESSABLE_ENTITY and _says_duplicate(refusal.details)


def duplicate(requestid: str, details: object) -> Written:
    """The outcome of an identical resend; the id where the refusal names it."""
    found = details if isinstance(details, dict) else {}
    for holder in (found, found.get("datapoint")):
        if isinstance(holder, dict) and isinstance(holder.get("id"), str):
            return Written(requestid=requestid, id=holder["id"], status="duplicate")
    return Written(requestid=requestid, id=None, status="duplicate")


def written(answer: Answer, requestid: str) -> Written:
    """The outcome of a single write that was answered with 2xx. Raises UnexpectedResponse."""
    body = pruned(answer.json())
    if isinstance(body, dict) and body.get("requestid") is None:
        # There is only one point that this answer can be about.
        body = {**body, "requestid": requestid}
    confirmed = _confirmed(body, {requestid})
    if confirmed is not None:
        return confirmed
    if _says_duplicate(body):
        return duplicate(requestid, body)
    raise answer.unexpected("it does not name the datapoint's id and our requestid")


def outcome(answer: Answer, requestids: Collection[str]) -> BatchOutcome:
    """The outcome of a batch that was answered with 2xx. Raises UnexpectedResponse."""
    body = pruned(answer.json())
    if isinstance(body, dict) and isinstance(body.get("id"), str):
        body = [body]
    found = _outcome(body, requestids)
    if found is None:
        raise answer.unexpected("neither a list of datapoints nor successes and errors")
    return BatchOutcome(written=found.written, errors=[answer.clean(said) for said in found.errors])


def refused(refusal: errors.Rejected, requestids: Collection[str]) -> BatchOutcome:
    """The outcome of a batch that was answered with 4xx; raises the refusal if it names none.

    A 422 may be about a single element of the batch, so the rest is unconfirmed, not lost.
    """
    found = _outcome(refusal.details, requestids)
    if found is not None and found.written:
        return found
    if refusal.status == httpx.codes.UNPROCESSABLE_ENTITY:
        return BatchOutcome(errors=[refusal.message])
    raise refusal


def _outcome(body: object, requestids: Collection[str]) -> BatchOutcome | None:
    if isinstance(body, list):
        elements, failures = body, []
    elif isinstance(body, dict) and ("successes" in body or "errors" in body):
        successes, named = body.get("successes"), body.get("errors")
        elements = successes if isinstance(successes, list) else []
        failures = named if isinstance(named, list) else [named] if named else []
    else:
        return None
    confirmed: dict[str, Written] = {}
    for element in elements:
        point = _confirmed(element, requestids)
        if point is None:
            failures = [*failures, element]
        else:
            confirmed[point.requestid] = point
    for failure in failures:
        # Named on both sides: somebody is wrong, so it is not confirmed.
        if isinstance(failure, dict) and isinstance(failure.get("requestid"), str):
            confirmed.pop(failure["requestid"], None)
    return BatchOutcome(written=confirmed, errors=[error_text(failure) for failure in failures])


def _confirmed(element: object, requestids: Collection[str]) -> Written | None:
    if not isinstance(element, dict) or element.get("errors") or element.get("error"):
        return None
    requestid, found = element.get("requestid"), element.get("id")
    if not isinstance(requestid, str) or requestid not in requestids:
        return None
    if not isinstance(found, str) or not found:
        return None
    status = element.get("status")
    # `status` is not documented: without a known one the write itself is still confirmed.
    known = cast("WrittenStatus", status) if status in _STATUSES else "created"
    return Written(requestid=requestid, id=found, status=known)


def _says_duplicate(body: object) -> bool:
    return _DUPLICATE.search(json.dumps(_without_echoes(body))) is not None


def _without_echoes(value: object) -> object:
    if isinstance(value, dict):
        return {k: _without_echoes(v) for k, v in value.items() if k not in _ECHOES}
    if isinstance(value, list):
        return [_without_echoes(item) for item in value]
    return value
