"""De-authorization: somebody removed the app at Beeminder, which names only the revoked token.

The token itself is never stored: its keyed hashes are enough to find whose it was.
https://api.beeminder.com/#post-de-authorization-callback-url
"""

import time

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from db.states import EventKind
from webhooks import bodies, errors
from webhooks.errors import AnswerError
from webhooks.receiver import receiver_of
from webhooks.writer import NotStoredError

log = structlog.get_logger(__name__)

KIND = EventKind.DEAUTHORIZED
LONGEST_TOKEN = 512


async def deauthorized(request: Request) -> Response:
    """`POST /beeminder/deauthorized/{secret}` with `access_token`."""
    came_at = time.time_ns()
    receiver = receiver_of(request)
    if not receiver.door.opens(request.path_params["secret"]):
        raise errors.NotFoundError
    try:
        values = await bodies.fields(request, limit=receiver.config.max_body)
        token = bodies.text_field(values, "access_token", longest=LONGEST_TOKEN)
    except AnswerError:
        receiver.metrics.answered(KIND, "malformed")
        raise
    payload = {"token_hashes": receiver.vault.fingerprints(str(token))}
    try:
        event_id = await receiver.writer.store(KIND, payload)
    except NotStoredError as error:
        receiver.metrics.answered(KIND, "not_stored")
        raise errors.LaterError("not_stored", str(error)) from None
    receiver.answered(KIND, "accepted", event_id, came_at=came_at)
    log.info("callback.answered", kind=KIND.value, event_id=event_id, outcome="accepted")
    return JSONResponse({})
