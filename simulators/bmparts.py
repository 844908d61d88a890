"""BM Parts on a local port: documents, history, reserves, carts and reports of firms.

    bmparts = Bmparts()
    bmparts.state.add_key("key-1")
    bmparts.state.add_documents(1_795_300_000.0)
    with LocalServer(bmparts.app) as server:
        ...

What is known of the vendor is in the module's parts, what is not is a switch (`Switches`). Calls
that change something there change `state.harm` here. Over HTTP:

| call | does |
|---|---|
| GET, POST `/_sim/switches` | shows them, sets some by name |
| GET `/_sim/harm` | what was done by calls that may never be made |
| POST `/_sim/firms` | a `key` of a `counterparty`, and what more it has; see below |

More is `documents` (instants) of a `kind`, `searches` (instants), `reserves` and `carts` (counts),
`sales` ([instant, brand, sum]), `debts` (by day).

https://developer.bm.parts/api/v2/overview.html
"""

import dataclasses
import json
import time
from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from simulators import bmparts_harm, bmparts_reads, limiter_keys
from simulators.bmparts_answers import RefusedError
from simulators.bmparts_state import SHIPMENT, BmpartsState
from simulators.faults import Faults
from simulators.limiter import Limiter
from simulators.windows import Kind, Window

BUILD = "sim-1"
REQUESTS, ANONYMOUS, HOUR = 10_000, 120, 3600.0
_NO_AGENT = "<html><body>Request forbidden: a User-Agent header is required.</body></html>"
_FIRM = {"documents", "kind", "searches", "sales", "reserves", "carts", "debts"}
_VERBS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


class Bmparts:
    """`app` is the whole service with `faults` around it; `service` is that without the faults.

    `limiter` counts by counterparty, `anonymous` by address whoever has no good key.
    """

    def __init__(self, *, clock: Callable[[], float] = time.time, seed: int = 0) -> None:
        self.state = BmpartsState(clock=clock)
        answers = Starlette(
            routes=[
                Route("/_sim/{what}", self.control, methods=["GET", "POST"]),
                Route("/{rest:path}", self._answer, methods=_VERBS),
            ]
        )
        self.limiter = Limiter(answers, key=self._counterparty, clock=clock)
        self.anonymous = Limiter(answers, key=limiter_keys.address_and_account, clock=clock)
        self.limit()
        self.app = self.faults = Faults(self.service, seed=seed, clock=clock)

    def limit(
        self, requests: int = REQUESTS, seconds: float = HOUR, *, kind: Kind = "fixed"
    ) -> None:
        """Serve so many in so many seconds from now on; nobody says in which kind of window."""
        for limiter, count in ((self.limiter, requests), (self.anonymous, ANONYMOUS)):
            window = Window(kind=kind, requests=count, seconds=seconds, rounding="date")
            limiter.set(window, status=403, headers="x-ratelimit")

    async def service(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        known = scope["type"] != "http" or "/_sim/" in scope["path"] or self._counterparty(scope)
        await (self.limiter if known else self.anonymous)(scope, receive, send)

    def _counterparty(self, scope: Scope) -> str:
        given = dict(scope["headers"]).get(b"authorization", b"").decode("latin-1")
        return self.state.keys.get(given, "")

    async def _answer(self, request: Request) -> Response:
        body = await request.body()
        with self.state.lock:
            try:
                answer = self._dispatch(request, body)
            except RefusedError as refused:
                answer = JSONResponse({"message": refused.message}, status_code=refused.status)
        answer.headers["X-BM-Build-ID"] = BUILD
        return answer

    def _dispatch(self, request: Request, _body: bytes) -> Response:
        state = self.state
        if not request.headers.get("user-agent", "").strip():
            return HTMLResponse(_NO_AGENT, status_code=403)
        firm = state.counterparties.get(self._counterparty(request.scope))
        if firm is None:
            raise RefusedError(state.switches.unknown_key, "the key is not accepted")
        path = request.path_params["rest"]
        if bmparts_harm.is_done_by(request.method, path):
            state.harm.append(f"{request.method} /{path}")
            return JSONResponse({"result": True}, status_code=201)
        if path in state.switches.forbidden:
            hides = state.switches.hides
            raise RefusedError(404 if hides else 403, "not found" if hides else "not allowed")
        found = bmparts_reads.of(path) if request.method == "GET" else None
        if found is None:
            raise RefusedError(404, "not found")
        return JSONResponse(found(state, firm, path, request.query_params))

    async def control(self, request: Request) -> Response:
        """See the module."""
        asked: dict[str, Any] = json.loads(await request.body() or b"{}")
        state = self.state
        try:
            match (request.method, request.url.path.rpartition("/")[2]):
                case ("GET", "switches"):
                    pass
                case ("POST", "switches"):
                    state.switches.change(asked)
                case ("GET", "harm"):
                    return JSONResponse({"harm": state.harm})
                case ("POST", "firms"):
                    self._add(**asked)
                case _:
                    return JSONResponse({"error": "no such control"}, status_code=404)
        except (KeyError, TypeError, ValueError) as exc:
            return JSONResponse({"error": f"{type(exc).__name__}: {exc}"}, status_code=422)
        return JSONResponse({"switches": dataclasses.asdict(state.switches)})

    def _add(self, *, key: str, counterparty: str = "Garage", **more: Any) -> None:
        state = self.state
        firm = state.add_key(key, counterparty)
        if unknown := sorted(more.keys() - _FIRM):
            raise ValueError(f"unknown {unknown}; known are {sorted(_FIRM)}")
        kind = more.get("kind", SHIPMENT)
        state.add_documents(*more.get("documents", ()), kind=kind, firm=counterparty)
        state.add_searches(*more.get("searches", ()), firm=counterparty)
        for at, brand, total in more.get("sales", ()):
            state.add_sale(at, brand, total, firm=counterparty)
        if "reserves" in more:
            state.open("reserves", more["reserves"], firm=counterparty)
        if "carts" in more:
            state.open("carts", more["carts"], firm=counterparty)
        firm.debts.update(more.get("debts", {}))
