"""The vendor of a trial on a real socket, and another host, for those who are sent there."""

import contextlib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from simulators.faults import Fault, Faults
from simulators.request_log import Request as Logged
from simulators.server import LocalServer
from tasks.trial import Trial
from worker.kit.bending import Bending, Change


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What goes wrong with a request, by a fault of the simulators or a changed answer.

    `transient`: the error has to say "again". `refused_login`: it has to be `AuthFailed`.
    `limit`: the gate's own exception may come instead.
    `empty`: how an honest answer without any data looks like, "{}" or "[]".
    """

    name: str
    fault: Mapping[str, Any] | None = None
    change: Change | None = None
    transient: bool = False
    refused_login: bool = False
    limit: bool = False
    said: str = ""


class Vendor:
    """Serves a trial between `with` and its end. `faults` logs what came."""

    def __init__(self, trial: Trial) -> None:
        app = trial.answers
        # Each app of a trial is somebody else's: its types are not those of starlette.
        inner: Any = Bodies(app) if isinstance(app, Mapping) else app
        self.bending = Bending(inner)
        self.faults = Faults(self.bending)
        self.elsewhere = Elsewhere(inner)
        self._server, self._other = LocalServer(self.faults), LocalServer(self.elsewhere)
        self._stack = contextlib.ExitStack()

    @property
    def url(self) -> str:
        """`http://host:port`."""
        return self._server.url

    @property
    def other_url(self) -> str:
        """The same of the other host."""
        return self._other.url

    @property
    def requests(self) -> list[Logged]:
        """What was asked since the trouble was changed last."""
        return self.faults.requests

    def be(self, trouble: Trouble | None = None, *, at: int = 0, once: bool = False) -> None:
        """Be in trouble with request number `at` from now on and those after it; None: be well."""
        self.faults.clear()
        self.faults.log.clear()
        self.bending.bend(None if trouble is None else trouble.change, at=at, once=once)
        if trouble is not None and trouble.fault is not None:
            self.faults.add(Fault(after=at, times=1 if once else None, **trouble.fault))

    def __enter__(self) -> Self:
        self._stack.enter_context(self._server)
        self._stack.enter_context(self._other)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


class Bodies:
    """Answers with JSON by path, or by path and query; knows If-None-Match (RFC 9110, 13.1.2)."""

    def __init__(self, bodies: Mapping[str, object]) -> None:
        self._bodies = bodies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        await request.body()
        await self._answer(request)(scope, receive, send)

    def _answer(self, request: Request) -> Response:
        path, query = request.url.path, request.url.query
        for key in (f"{path}?{query}", path):
            if key in self._bodies:
                body = json.dumps(self._bodies[key]).encode()
                tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
                if request.headers.get("if-none-match") == tag:
                    return Response(status_code=304, headers={"ETag": tag})
                return Response(body, media_type="application/json", headers={"ETag": tag})
        return JSONResponse({"message": "there is no such thing"}, status_code=404)


class Elsewhere:
    """Another host that answers the same, and keeps every header that it was sent."""

    def __init__(self, app: ASGIApp) -> None:
        self._bending = Bending(app)

    @property
    def sent(self) -> list[str]:
        """All that came, one text for each request: query, headers, body."""
        return [
            "\n".join(
                [
                    reply.query,
                    *(
                        f"{n.decode('latin-1')}: {v.decode('latin-1')}"
                        for n, v in reply.request_headers
                    ),
                    reply.request_body.decode("latin-1"),
                ]
            )
            for reply in self._bending.kept
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        await self._bending(scope, receive, send)
