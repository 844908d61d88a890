"""What Beeminder's answers to writes confirm, read with the least possible trust.

The shape of partial failures is not documented, so only an element that names our requestid and
an id confirms a write; everything else is left unconfirmed and costs one more request at most.
"""

import dataclasses
import json
import re
from collections.abc import Collection, Iterator
from typing import cast

import httpx

from clients import errors
from clients.answers import Answer, error_text, pruned
from clients.beeminder_models import BatchOutcome, NewDatapoint, Written, WrittenStatus

_DUPLICATE = re.compile("duplicate", re.IGNORECASE)
_COMPLAINTS = ("errors", "error", "error_message", "message")
_STATUSES = ("created", "updated", "duplicate")
# Our own words may come back in these; a comment about duplicates proves nothing.
_ECHOES = frozenset({"comment", "requestid", "urtext", "fulltext", "canonical"})


def is_duplicate(refusal: errors.Rejected) -> bool:
    """True when the refusal says that an identical datapoint is there already."""
    return refusal.status == httpx.codes.UNPROCESSABLE_ENTITY and _says_duplicate(refusal.details)


def duplicate(requestid: str, details: object, *, request_id: str | None) -> Written:
    """The outcome of an identical resend; the id where the refusal names it."""
    found = details if isinstance(details, dict) else {}
    nested = found.get("datapoint")
    holders = (found, nested if isinstance(nested, dict) else {})
    named = next((each["id"] for each in holders if isinstance(each.get("id"), str)), None)
    return Written(requestid=requestid, id=named, status="duplicate", request_id=request_id)


def written(answer: Answer, requestid: str) -> Written:
    """The outcome of a single write that was answered with 2xx. Raises UnexpectedResponse."""
    body = pruned(answer.json())
    if isinstance(body, dict) and body.get("requestid") is None:
        # There is only one point that this answer can be about.
        body = {**body, "requestid": requestid}
    confirmed = _confirmed(body, {requestid}, answer.request_id)
    if confirmed is not None:
        return confirmed
    if _says_duplicate(body):
        return duplicate(requestid, body, request_id=answer.request_id)
    raise answer.unexpected("it does not name the datapoint's id and our requestid")


def outcome(answer: Answer, points: Collection[NewDatapoint]) -> BatchOutcome:
    """The outcome of a batch that was answered with 2xx. Raises UnexpectedResponse."""
    body = pruned(answer.json())
    if isinstance(body, dict) and isinstance(body.get("id"), str):
        body = [body]
    found = _outcome(body, points, answer.request_id)
    if found is None:
        raise answer.unexpected("neither a list of datapoints nor successes and errors")
    return dataclasses.replace(found, errors=[answer.clean(said) for said in found.errors])


def refused(refusal: errors.Rejected, points: Collection[NewDatapoint]) -> BatchOutcome:
    """The outcome of a batch that was answered with 4xx; raises the refusal if it names none.

    A 422 may be about a single element of the batch, so the rest is unconfirmed, not lost.
    """
    # Beside a refusal only what is expressly a success counts: a list may be of what was refused.
    if isinstance(refusal.details, dict) and "successes" in refusal.details:
        found = _outcome(refusal.details, points, refusal.request_id)
        if found is not None and found.written:
            return found
    if refusal.status == httpx.codes.UNPROCESSABLE_ENTITY:
        return BatchOutcome(errors=[refusal.message], request_id=refusal.request_id)
    raise refusal


def _outcome(
    body: object, points: Collection[NewDatapoint], request_id: str | None
) -> BatchOutcome | None:
    if isinstance(body, list):
        elements, failures = body, []
    elif isinstance(body, dict) and ("successes" in body or "errors" in body):
        successes, named = body.get("successes"), body.get("errors")
        elements = successes if isinstance(successes, list) else []
        failures = named if isinstance(named, list) else [named] if named else []
    else:
        return None
    sent = {point.requestid: point for point in points}
    confirmed: dict[str, Written] = {}
    for element in elements:
        point = _confirmed(element, sent, request_id)
        if point is None or not _as_sent(element, sent[point.requestid]):
            failures = [*failures, element]
        else:
            confirmed[point.requestid] = point
    for failure in failures:
        # Named on both sides: somebody is wrong, so it is not confirmed.
        for requestid in _mentioned(failure):
            confirmed.pop(requestid, None)
    said = [error_text(failure) for failure in failures]
    return BatchOutcome(written=confirmed, errors=said, request_id=request_id)


def _confirmed(
    element: object, requestids: Collection[str], request_id: str | None
) -> Written | None:
    if not isinstance(element, dict) or any(element.get(name) for name in _COMPLAINTS):
        return None
    requestid, found = element.get("requestid"), element.get("id")
    if not isinstance(requestid, str) or requestid not in requestids:
        return None
    if not isinstance(found, str) or not found:
        return None
    status = element.get("status")
    # `status` is not documented: without a known one the write itself is still confirmed.
    known = cast("WrittenStatus", status) if status in _STATUSES else "created"
    return Written(requestid=requestid, id=found, status=known, request_id=request_id)


def _as_sent(element: dict[str, object], point: NewDatapoint) -> bool:
    # Among many, a point that was refused could be shown as it stood before. A status that we
    # don't know, another value or another day: better ask for that one again.
    status, value = element.get("status"), element.get("value")
    return (
        (status is None or status in _STATUSES)
        and (value is None or value == point.value)
        and (point.daystamp is None or element.get("daystamp") in (None, point.daystamp))
    )


def _mentioned(failure: object) -> Iterator[str]:
    """Every string in a failure: one of them may be a requestid, as a key or as a value."""
    if isinstance(failure, str):
        yield failure
    elif isinstance(failure, dict):
        yield from failure
        for value in failure.values():
            yield from _mentioned(value)
    elif isinstance(failure, list):
        for value in failure:
            yield from _mentioned(value)


def _says_duplicate(body: object) -> bool:
    return _DUPLICATE.search(json.dumps(_without_echoes(body))) is not None


def _without_echoes(value: object) -> object:
    if isinstance(value, dict):
        return {k: _without_echoes(v) for k, v in value.items() if k not in _ECHOES}
    if isinstance(value, list):
        return [_without_echoes(item) for item in value]
    return value
