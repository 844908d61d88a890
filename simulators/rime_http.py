"""How the simulated RIME answers: error envelopes, request ids, pages with cursors."""

import base64
import itertools
import json
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from simulators.rime_unknowns import Unknowns

CODES = {
    400: "validation_error",
    401: "unauthorized",
    403: "forbidden",
    404: "resource_not_found",
    405: "method_not_allowed",
    409: "conflict",
    422: "unprocessable_entity",
    429: "rate_limited",
    500: "internal_error",
}
MOST, USUAL = 100, 50  # entries of a page


class HttpError(Exception):
    """An answer of 4xx or 5xx; `details` are what is wrong, by field."""

    def __init__(
        self, status: int, message: str, *, details: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(f"{status} {message}")
        self.status = status
        self.body: dict[str, Any] = {"code": CODES[status], "message": message}
        if details:
            self.body["details"] = [
                {"field": name, "message": text} for name, text in details.items()
            ]

    def answer(self) -> Response:
        """The envelope."""
        return JSONResponse({"error": self.body}, self.status)


class RequestIds:
    """ASGI middleware that names each answer: `X-Request-Id: req_…`."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._numbers = itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        name = f"req_{next(self._numbers):08x}".encode()

        async def named(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [*message.get("headers", []), (b"x-request-id", name)]
                message = {**message, "headers": headers}
            await send(message)

        await self.app(scope, receive, named if scope["type"] == "http" else send)


def page(request: Request, items: Sequence[Any], unknowns: Unknowns) -> Response:
    """The page of these that is asked for. Cursors name the entry after which it begins."""
    limit = _limit(request.query_params.get("limit"))
    begins = _begin(request.query_params.get("cursor"), items)
    shown = items[begins : begins + limit]
    body: dict[str, Any] = {"data": [view for _, view in shown]}
    more = begins + limit < len(items)
    if more:
        body["next_cursor"] = _cursor(shown[-1][0])
    elif unknowns.end_cursor == "repeated":
        # Of the first page there is none to repeat.
        body["next_cursor"] = request.query_params.get("cursor") or ""
    elif unknowns.end_cursor != "absent":
        body["next_cursor"] = None if unknowns.end_cursor == "null" else ""
    if unknowns.has_more != "absent":
        body["has_more"] = more or unknowns.has_more == "always"
    return JSONResponse(body)


def _limit(given: str | None) -> int:
    if given is None:
        return USUAL
    if not given.isdecimal() or not 1 <= int(given) <= MOST:
        raise HttpError(400, "Invalid request", details={"limit": f"must be between 1 and {MOST}"})
    return int(given)


def _cursor(key: str) -> str:
    return base64.urlsafe_b64encode(json.dumps({"after": key}).encode()).decode()


def _begin(cursor: str | None, items: Sequence[Any]) -> int:
    if cursor is None:
        return 0
    try:
        after = json.loads(base64.urlsafe_b64decode(cursor))["after"]
        return next(number for number, (key, _) in enumerate(items) if key == after) + 1
    except (ValueError, KeyError, TypeError, StopIteration):
        raise HttpError(422, "The cursor is not valid") from None
