"""Reminder webhook: Beeminder tells a person's own hook that a goal is about to derail.

The goal in the body is only a hint of where to look. The path says whose goal it is.
https://help.beeminder.com/article/71-reminders
"""

import time
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from db import people
from db.states import EventKind
from webhooks import bodies, errors
from webhooks.errors import AnswerError
from webhooks.receiver import Receiver, receiver_of
from webhooks.writer import NotStoredError

log = structlog.get_logger(__name__)

KIND = EventKind.REMINDER
LONGEST_NAME = 100


async def reminder(request: Request) -> Response:
    """`POST /beeminder/reminder/{hook}` with a JSON object that has the goal."""
    came_at = time.time_ns()
    receiver = receiver_of(request)
    hook = request.path_params["hook"]
    receiver.door.opens(hook)  # the work that every path does
    try:
        user_id = await run_in_threadpool(_owner, receiver, hook)
    except SQLAlchemyError as error:
        log.warning("reminder.owner_unknown", error=type(error).__name__)
        receiver.metrics.answered(KIND, "not_stored")
        raise errors.LaterError("not_stored", "the database does not answer") from None
    if user_id is None:
        raise errors.NotFoundError
    try:
        payload = _payload(await bodies.json_object(request, limit=receiver.config.max_body))
    except AnswerError:
        receiver.metrics.answered(KIND, "malformed")
        raise
    try:
        event_id = await receiver.writer.store(KIND, payload, user_id=user_id)
    except NotStoredError as error:
        receiver.metrics.answered(KIND, "not_stored")
        raise errors.LaterError("not_stored", str(error)) from None
    receiver.answered(KIND, "accepted", event_id, came_at=came_at)
    log.info("callback.answered", kind=KIND.value, event_id=event_id, outcome="accepted")
    return JSONResponse({}, status_code=202)


def _owner(receiver: Receiver, hook: str) -> int | None:
    with receiver.ledger.read() as session:
        return people.user_with_hook(session, receiver.vault.fingerprints(hook))


def _payload(body: dict[str, Any]) -> dict[str, Any]:
    goal = body.get("goal")
    if not isinstance(goal, dict):
        raise bodies.malformed("goal is missing, or is not an object", field="goal")
    slug = bodies.text_field(goal, "slug", longest=LONGEST_NAME, required=False)
    goal_id = bodies.text_field(goal, "id", longest=LONGEST_NAME, required=False)
    if slug is None and goal_id is None:
        raise bodies.malformed("goal has neither slug nor id", field="goal.slug")
    return {"slug": (slug or "").lower(), "goal_beeminder_id": goal_id}
