"""A Bime on a local port: lists, validators, OAuth, and limits and faults on request.

    bime = Bime()
    bime.state.add_account("acme", token="token-1")
    number = bime.state.add("dashboards", name="Sales", is_published=True)
    bime.state.switch(validators="last-modified", wrapped=True)
    with LocalServer(bime.app) as server:
        ...  # f"{server.url}/v2/dashboards", f"{server.url}/oauth/authorize"

Both generations of the API, `/v2` and `/v3`, show the same records. What the vendor's page leaves
open is a switch (`bime_state.Switches`). Of the API only the reading half is here; records are
made, changed and removed from Python or over HTTP:

| over HTTP | does |
|---|---|
| POST `/_sim/accounts` | adds one: `name`, `token` |
| POST `/_sim/records` | adds one: `resource` and its fields; says its `id` |
| POST `/_sim/changes` | changes `resource`, `id`; the other names are fields |
| POST `/_sim/removals` | removes `resource`, `id` |
| POST `/_sim/apps` | registers one, by the names of `App` |
| POST `/_sim/switches` | sets switches by name |

It can be mounted under any prefix (`bime.limiter`).
"""

import json
import time
from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import Scope

from simulators import bime_views as views
from simulators import limiter_keys as keys
from simulators.bime_oauth import OAuth
from simulators.bime_state import RESOURCES, BimeState
from simulators.faults import Faults
from simulators.limiter import Limiter
from simulators.windows import Kind, Window

REQUESTS, SECONDS = 500, 10.0  # by address and account


class Bime:
    """`app` is the whole service with `faults` around it; `state` and `oauth` are for tests.

    `limiter` is the service without the faults. Its limit is the one that the page names; of which
    kind the window is it does not say, so that is `window`.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.time,
        seed: int = 0,
        window: Kind = "fixed",
    ) -> None:
        self.state = BimeState(clock=clock)
        self.oauth = OAuth(self.state)
        self.limiter = Limiter(
            Starlette(routes=self.routes()),
            Window(kind=window, requests=REQUESTS, seconds=SECONDS),
            key=self._counted_by,
            clock=clock,
            match=r"/v[23]/",
        )
        self.app = self.faults = Faults(self.limiter, seed=seed, clock=clock)

    def routes(self) -> list[BaseRoute]:
        """Everything but the limits and the faults."""
        verbs = ["GET", "POST", "PUT", "PATCH", "DELETE"]
        return [
            Route("/_sim/{what}", self.control, methods=["POST"]),
            Route("/oauth/authorize", self._authorize, methods=["GET"]),
            Route("/oauth/token", self._token, methods=["POST"]),
            Route("/oauth/access_token", self._token, methods=["POST"]),
            *(
                Route(f"/{version}/{{rest:path}}", self._answer, methods=verbs, name=version)
                for version in ("v2", "v3")
            ),
        ]

    def _counted_by(self, scope: Scope) -> str:
        """The address with the account; a token that opens none counts for itself."""
        token = keys.token(scope)
        client = scope.get("client")
        return f"{client[0] if client else ''} {self.state.account_of(token) or token}"

    async def _answer(self, request: Request) -> Response:
        version = "v3" if "/v3/" in request.url.path else "v2"
        with self.state.lock:
            return self._dispatch(request, version)

    def _dispatch(self, request: Request, version: str) -> Response:
        state = self.state
        account = state.account_of(keys.token(request.scope))
        if account is None:
            return views.failure(state, version, 401, "unauthorized")
        resource, _, given = request.path_params["rest"].partition("/")
        if resource not in RESOURCES:
            return views.failure(state, version, 404, "not found")
        if request.method != "GET":
            return views.failure(state, version, 405, "only the reading half is here")
        shown: Any = views.of_list(state, version, account, resource)
        if given:
            number = int(given) if given.isascii() and given.isdigit() else 0
            shown = views.single(state, version, account, resource, number)
        if shown is None:
            return views.failure(state, version, state.switches.missing, "record not found")
        return views.answer(state, request, version, shown, resource=resource, account=account)

    async def _authorize(self, request: Request) -> Response:
        with self.state.lock:
            return self.oauth.authorize(request)

    async def _token(self, request: Request) -> Response:
        if self.state.switches.old_path != request.url.path.endswith("/access_token"):
            return Response("not found", 404)
        return await self.oauth.token(request)

    async def control(self, request: Request) -> Response:
        """See above; 422 says what is wrong."""
        try:
            asked = json.loads(await request.body() or b"{}")
            shown = self._obey(request.url.path.rpartition("/")[2], asked)
        except (KeyError, TypeError, ValueError) as exc:
            return JSONResponse({"error": f"{type(exc).__name__}: {exc}"}, status_code=422)
        if shown is None:
            return JSONResponse({"error": "no such control"}, status_code=404)
        return JSONResponse(shown)

    def _obey(self, what: str, asked: dict[str, Any]) -> dict[str, Any] | None:
        state, shown = self.state, {}
        match what:
            case "accounts":
                state.add_account(asked.pop("name"), **asked)
            case "records":
                shown = {"id": state.add(asked.pop("resource"), **asked)}
            case "changes":
                state.change(asked.pop("resource"), asked.pop("id"), **asked)
            case "removals":
                state.remove(asked.pop("resource"), asked.pop("id"), **asked)
            case "apps":
                state.register_app(**asked)
            case "switches":
                state.switch(**asked)
            case _:
                return None
        return shown
