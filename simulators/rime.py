"""A RIME tenant on a local port: login, projects, connectors, pipelines, runs, limits, faults.

    rime = Rime()
    rime.state.add_key("key-1")
    rime.state.add_project("shop")
    rime.state.add_connector("shop", "orders")
    rime.state.add_run("orders", rows=120, started_at=…, finished_at=…)
    with LocalServer(rime.app) as server:
        ...

`app` is to be mounted where a tenant has `/api/v1`. What the vendor's pages leave open is a switch
of `rime.unknowns`; what would change something at the source is written down in `state.harm`.
"""

import hashlib
import time
from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from simulators import limiter_keys, rime_control, rime_http
from simulators.faults import Faults
from simulators.limiter import Limiter
from simulators.rime_http import HttpError
from simulators.rime_live import Live
from simulators.rime_state import Kind, Owner, Person, Project, RimeState
from simulators.rime_tokens import Tokens
from simulators.rime_unknowns import Unknowns

_KINDS: dict[str, Kind] = {"connectors": "connector", "pipelines": "pipeline"}
_STARTED, _GONE = 202, 204


class Rime:
    """`app` is the tenant with `faults` around it; `served` is it without them.

    `limiter` counts by tenant and endpoint, as the vendor does. `live` is the progress socket, and
    `tenant` a whole host: `app` at `/api/v1`, and `live` beside it.
    """

    def __init__(self, *, clock: Callable[[], float] = time.time, seed: int = 0) -> None:
        self.state = RimeState(clock=clock)
        self.unknowns = Unknowns()
        self.tokens = Tokens(self.state, self.unknowns)
        self.limiter = Limiter(
            Starlette(routes=self.routes()), key=limiter_keys.tenant_and_endpoint, clock=clock
        )
        self.served = rime_http.RequestIds(self.limiter)
        self.app = self.faults = Faults(self.served, seed=seed, clock=clock)
        self.live = Live(self.state, self.unknowns, self.tokens)
        self.tenant = Starlette(routes=[Mount("/api/v1", app=self.app), self.live.route()])

    def routes(self) -> list[BaseRoute]:
        """Everything but the limits and the faults."""
        verbs = ["GET", "POST", "PUT", "PATCH", "DELETE"]
        return [
            Route("/_sim/{what}", self.control, methods=["GET", "POST", "DELETE"]),
            Route("/{rest:path}", self._answer, methods=verbs),
        ]

    async def control(self, request: Request) -> Response:
        """See `rime_control`."""
        return await rime_control.answer(self, request)

    async def _answer(self, request: Request) -> Response:
        body = await request.body()
        try:
            with self.state.lock:
                return self._dispatch(request, request.path_params["rest"], body)
        except HttpError as error:
            return error.answer()

    def _dispatch(self, request: Request, rest: str, body: bytes) -> Response:
        if request.method == "POST" and rest == "auth/login":
            return self.tokens.login(body)
        if request.method == "POST" and rest == self.unknowns.refresh_path:
            return self.tokens.refresh(body)
        if rest.startswith("auth/"):
            raise _missing("route")
        person = self.tokens.who(request.headers.get("authorization"))
        if request.method not in ("GET", "HEAD"):
            return self._change(request, person, rest)
        self.state.grow()
        return self._read(request, person, rest.split("/"))

    def _read(self, request: Request, person: Person, parts: list[str]) -> Response:
        match parts:
            case ["projects"]:
                seen = [p for p in self.state.projects.values() if _may(person, p)]
                return self._page(request, [(p.id, _project(p)) for p in seen])
            case ["projects", project_id]:
                return JSONResponse(_project(self._project(person, project_id)))
            case ["projects", project_id, ("connectors" | "pipelines") as things]:
                owners = self._owners(person, project_id, things).values()
                return self._page(request, [(o.id, self._owner_view(o)) for o in owners])
            case ["projects", project_id, ("connectors" | "pipelines") as things, owner_id, *more]:
                owner = self._owners(person, project_id, things).get(owner_id)
                return self._of_owner(request, owner, more)
            case ["connectors", owner_id, *more] if self.unknowns.short_paths:
                found = [p.connectors for p in self.state.projects.values() if _may(person, p)]
                owner = next((each[owner_id] for each in found if owner_id in each), None)
                return self._of_owner(request, owner, more)
        raise _missing("route")

    def _of_owner(self, request: Request, owner: Owner | None, more: list[str]) -> Response:
        if owner is None:
            raise _missing("resource")
        match more:
            case []:
                return JSONResponse(self._owner_view(owner))
            case ["runs"]:
                return self._page(request, self._runs(owner))
            case ["runs", run_id] if run_id in owner.runs:
                return JSONResponse(self.unknowns.run(owner.runs[run_id]))
        raise _missing("resource")

    def _runs(self, owner: Owner) -> list[tuple[str, dict[str, Any]]]:
        runs = list(owner.runs.values())
        if self.unknowns.order == "shuffled":
            runs.sort(key=lambda run: hashlib.sha256(run.id.encode()).hexdigest())
        else:
            newest = self.unknowns.order == "newest"
            runs.sort(key=lambda run: run.started_at or 0.0, reverse=newest)
        return [(run.id, self.unknowns.run(run)) for run in runs]

    def _owners(self, person: Person, project_id: str, things: str) -> dict[str, Owner]:
        if things == "pipelines" and not self.unknowns.pipelines:
            raise _missing("route")
        return self._project(person, project_id).owners(_KINDS[things])

    def _project(self, person: Person, project_id: str) -> Project:
        found = self.state.projects.get(project_id)
        if found is None:
            raise _missing("project")
        if not _may(person, found):
            raise HttpError(403, "You do not have access to this project")
        return found

    def _change(self, request: Request, person: Person, rest: str) -> Response:
        """Whatever writes. It is harm done: nobody who reads for a living may come here."""
        if rest.partition("/")[0] not in ("projects", "connectors"):
            raise _missing("route")
        self.state.harm.append((request.method, rest))
        match rest.split("/"):
            case ["projects", project_id, "connectors", owner_id, "sync"]:
                owner = self._owners(person, project_id, "connectors").get(owner_id)
                if owner is None:
                    raise _missing("connector")
                if any(not run.is_over for run in owner.runs.values()):
                    raise HttpError(409, "A run of this connector is going on")
                run = self.state.start_run(owner_id, trigger="manual")
                return JSONResponse(self.unknowns.run(run), _STARTED)
        if request.method == "DELETE":
            return Response(status_code=_GONE)
        return JSONResponse({}, _STARTED)

    def _page(self, request: Request, items: list[tuple[str, dict[str, Any]]]) -> Response:
        return rime_http.page(request, items, self.unknowns)

    def _owner_view(self, owner: Owner) -> dict[str, Any]:
        return {
            "id": owner.id,
            "name": owner.name,
            "state": self.unknowns.status(owner.state),
            **({"is_current": True} if owner.kind == "pipeline" else {}),
        }


def _may(person: Person, project: Project) -> bool:
    return person.projects is None or project.id in person.projects


def _project(project: Project) -> dict[str, Any]:
    return {"id": project.id, "name": project.name}


def _missing(what: str) -> HttpError:
    return HttpError(404, f"The {what} does not exist")
