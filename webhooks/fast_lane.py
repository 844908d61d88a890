"""What vendors call goes straight to its handler, past the framework's way to a route.

That way is made for pages: it looks for a route, and wraps every answer and every error twice. For
a callback it took a sixth of the receiver's time. All else, wrong methods and unknown paths among
it, goes the usual way, where the same routes are found.
"""

from collections.abc import Awaitable, Callable, Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from webhooks import errors
from webhooks.errors import AnswerError

Handler = Callable[[Request], Awaitable[Response]]


class FastLane:
    """Around an app: requests that these routes fit need none of it.

    Each is a POST whose path ends with its only parameter.
    """

    def __init__(self, app: ASGIApp, routes: Sequence[BaseRoute]) -> None:
        self._app = app
        self._handlers: dict[tuple[str, str], tuple[str, Handler]] = {}
        for route in routes:
            if isinstance(route, Route):
                start, _, parameter = route.path.rpartition("/")
                self._handlers["POST", start] = (parameter.strip("{}"), route.endpoint)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer it, or pass it on."""
        start, _, last = scope.get("path", "").rpartition("/")
        found = self._handlers.get((scope.get("method", ""), start))
        if found is None or not last:
            await self._app(scope, receive, send)
            return
        parameter, handler = found
        scope["path_params"] = {parameter: last}
        request = Request(scope, receive, send)
        try:
            response = await handler(request)
        except AnswerError as error:
            response = await errors.on_answer_error(request, error)
        await response(scope, receive, send)
