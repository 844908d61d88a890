"""Around every request: an id, headers for all answers, and a last net for our own mistakes."""

import itertools
import json
import re
import secrets
import traceback

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from webhooks import errors, request_ids

log = structlog.get_logger(__name__)

FRAMES = 4
GIVEN_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")


class RequestIds:
    """Gives each request an id that its answer and its log lines carry."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._prefix = secrets.token_hex(4).encode()  # of this process; the rest counts
        self._count = itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; whatever it raises ends here."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _given_id(scope) or b"%s-%x" % (self._prefix, next(self._count))
        request_ids.begin(request_id.decode())
        started = False

        async def send_with_id(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = [
                    *message.get("headers", ()),
                    (b"x-request-id", request_id),
                    (b"x-content-type-options", b"nosniff"),
                ]
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except Exception as error:  # noqa: BLE001 -- logged, and answered with 500
            # Its text may repeat what somebody sent us; where it happened is what helps.
            log.error("request.failed", error=type(error).__name__, at=_place(error))  # noqa: TRY400 -- as above
            if not started:
                await _send_500(send_with_id)


def _given_id(scope: Scope) -> bytes | None:
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            given: bytes = value
            return given if GIVEN_ID.fullmatch(given) else None
    return None


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)[-FRAMES:]
    return " > ".join(
        f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames
    )


async def _send_500(send: Send) -> None:
    body = json.dumps(errors.envelope(*errors.CODES[500])).encode()
    await send(
        {
            "type": "http.response.start",
            "status": 500,
            "headers": [
                (b"content-type", b"application/json"),
                (b"content-length", str(len(body)).encode()),
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})
