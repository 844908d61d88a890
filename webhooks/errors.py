"""Errors as the outside sees them: JSON for programs, a small page for browsers, never a traceback.

Which of the two depends on what the request says it accepts and on nothing else, so that a wrong
secret and a path that never existed get the same answer.
"""

import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Match, Route

from webhooks import rendering
from webhooks.receiver import receiver_of

RETRY_AFTER_SECONDS = 5
RETRY_AFTER_AT_MOST = 3600  # a gate may be opened before its time
CODES = {
    400: ("malformed", "the request could not be read"),
    404: ("not_found", "there is nothing here"),
    405: ("method_not_allowed", "this address is for other methods"),
    500: ("internal", "something went wrong here; it has been logged"),
}


class AnswerError(Exception):
    """An answer other than the wanted one. `message` says what was wrong and what to do."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        details: Any = None,  # noqa: ANN401 -- whatever fits JSON
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = details
        self.headers = dict(headers or {})

    def response(self) -> Response | None:
        """How it is answered, where that is not how all are (`render`)."""
        return None


class NotFoundError(AnswerError):
    """What an unknown path, a wrong secret and other people's things have in common."""

    def __init__(self) -> None:
        code, message = CODES[404]
        super().__init__(404, code, message)


class LaterError(AnswerError):
    """503: try again."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(503, code, message, headers=retry_after())


def retry_after(wait: float = 0.0) -> dict[str, str]:
    """The header of every answer that asks to come again; `wait`: it is in vain for so long."""
    seconds = min(max(RETRY_AFTER_SECONDS, math.ceil(wait)), RETRY_AFTER_AT_MOST)
    return {"Retry-After": str(seconds)}


def envelope(code: str, message: str, details: Any = None) -> dict[str, Any]:  # noqa: ANN401 -- as above
    """The body of an error."""
    error = {"code": code, "message": message}
    if details is not None:
        error["details"] = details
    return {"error": error}


def render(request: Request, error: AnswerError) -> Response:
    """The answer that tells of an error."""
    if "text/html" in request.headers.get("accept", ""):
        response: Response = rendering.page(
            "error.html",
            status=error.status,
            title=f"Waggle: {phrase(error.status).lower()}",
            message=error.message,
        )
    else:
        response = JSONResponse(
            envelope(error.code, error.message, error.details), status_code=error.status
        )
    response.headers.update(error.headers)
    return response


def phrase(status: int) -> str:
    """The words that go with a status."""
    return HTTPStatus(status).phrase


async def on_answer_error(request: Request, error: Exception) -> Response:
    """Answer what one of our own handlers refused."""
    if not isinstance(error, AnswerError):
        raise error
    return error.response() or render(request, error)


async def on_http_exception(request: Request, error: Exception) -> Response:
    """Answer what the router refused: unknown paths and methods."""
    if not isinstance(error, HTTPException):
        raise error
    if error.status_code == NotFoundError().status:
        # The same work as for a wrong secret.
        receiver_of(request).door.opens(request.url.path.rpartition("/")[2])
    code, message = CODES.get(error.status_code, CODES[400])
    headers = _allowed(request) if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED else None
    return render(request, AnswerError(error.status_code, code, message, headers=headers))


def _allowed(request: Request) -> dict[str, str]:
    # The router names the methods of the first route of this path only.
    methods = {
        method
        for route in request.app.routes
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE
        for method in route.methods or ()
    }
    return {"Allow": ", ".join(sorted(methods))}
