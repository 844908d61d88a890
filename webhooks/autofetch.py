"""Autofetch: Beeminder asks for fresh data and acts as soon as it has our 200.

So the request is stored, held until the data is on the goal, and only then answered with 200.
https://api.beeminder.com/#autofetch-callback-url
"""

import functools
import logging
import time
from typing import Any

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from db.inbox import Outcome
from db.states import EventKind, EventState
from webhooks import bodies, errors
from webhooks.errors import AnswerError
from webhooks.receiver import Receiver, receiver_of
from webhooks.writer import NotStoredError

log = structlog.get_logger(__name__)
written = logging.getLogger(__name__)  # knows in no time what structlog throws away in the end

KIND = EventKind.AUTOFETCH
LONGEST_NAME = 100
UNKNOWN = "no_such_feed"
STOPPING_STATUS = 503


async def autofetch(request: Request) -> Response:
    """`POST /beeminder/autofetch/{secret}` with `username` and `slug`."""
    came_at = time.time_ns()
    receiver = receiver_of(request)
    if not receiver.door.opens(request.path_params["secret"]):
        raise errors.NotFoundError
    try:
        values = await bodies.fields(request, limit=receiver.config.max_body)
        payload = {name: _name(values, name) for name in ("username", "slug")}
    except AnswerError:
        receiver.metrics.answered(KIND, "malformed")
        raise
    try:
        event_id = await receiver.writer.store(KIND, payload)
    except NotStoredError as error:
        receiver.metrics.answered(KIND, "not_stored")
        raise errors.LaterError("not_stored", str(error)) from None
    stored_at = time.time_ns()
    outcome = await receiver.holds.wait(event_id)
    said, response = _answer(receiver, outcome)
    receiver.answered(KIND, said, event_id, came_at=came_at, stored_at=stored_at)
    # What went well is in the ledger; a line for each would cost more than its commit.
    notable = said in ("failed", "unknown") or (said == "late" and receiver.config.hold_seconds > 0)
    level = logging.INFO if notable else logging.DEBUG
    if written.isEnabledFor(level):
        log.log(level, "callback.answered", kind=KIND.value, event_id=event_id, outcome=said)
    return response


def _name(values: dict[str, Any], name: str) -> str:
    text = bodies.text_field(values, name, longest=LONGEST_NAME)
    return str(text).lower()


def _answer(receiver: Receiver, outcome: Outcome | None) -> tuple[str, Response]:
    """What to count and what to say; `outcome` is None when it is not known."""
    if outcome is not None and outcome.state == EventState.DONE:
        return "fresh", JSONResponse({"status": "fresh", "datapoints": outcome.datapoints})
    error = None if outcome is None else outcome.error
    over = outcome is not None and outcome.state in (EventState.FAILED, EventState.DEAD)
    if over and error is None:
        error = {"code": "failed", "message": "the sync failed"}
    if over and error is not None and error.get("code") == UNKNOWN:
        return "unknown", JSONResponse(errors.envelope(UNKNOWN, _message(error)), status_code=404)
    wait = None if outcome is None else outcome.wait
    status = STOPPING_STATUS if receiver.holds.released else receiver.config.failed_status
    if wait is None and error is None:
        return "late", _late(status)
    headers = errors.retry_after(0.0 if wait is None else wait.seconds)
    body: dict[str, Any] = {"status": "late"}
    if wait is None and error is not None:
        body = {
            "status": "failed",
            **errors.envelope(str(error.get("code", "failed")), _message(error)),
        }
    return str(body["status"]), JSONResponse(body, status_code=status, headers=headers)


@functools.cache  # two statuses; most callbacks of a busy hour are answered with it
def _late(status: int) -> Response:
    """Nothing is known of it but that it takes longer: always the same, and nobody changes it."""
    return JSONResponse({"status": "late"}, status_code=status, headers=errors.retry_after())


def _message(error: dict[str, Any]) -> str:
    return str(error.get("message", ""))
