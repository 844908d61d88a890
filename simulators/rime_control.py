"""`/_sim/…` of the simulated RIME: what Python can do, from outside of the process.

| over HTTP | does |
|---|---|
| POST `/_sim/keys`, `/_sim/people` | adds who may ask |
| POST `/_sim/projects`, `/_sim/connectors`, `/_sim/pipelines` | adds what there is |
| POST `/_sim/runs` | adds a run of `owner`, with the names of `rime_state.Run` |
| POST `/_sim/start`, `/_sim/finish`, `/_sim/retry` | what happens to a run of `owner` |
| GET, POST `/_sim/unknowns` | shows the switches, turns some |
| GET, DELETE `/_sim/harm` | calls that would have changed something |
| `/_sim/live`, `/_sim/sockets` | the progress socket, see `rime_live` |
"""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from simulators.rime_state import Plan, Run

if TYPE_CHECKING:
    from simulators.rime import Rime
    from simulators.rime_live import Live


async def answer(rime: "Rime", request: Request) -> Response:
    """One request to the control; 422 says what is wrong with it."""
    try:
        asked = json.loads(await request.body() or b"{}")
        shown = _control(rime, request.method, request.path_params["what"], asked)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        return JSONResponse({"error": f"{type(error).__name__}: {error}"}, status_code=422)
    if shown is None:
        return JSONResponse({"error": "no such control"}, status_code=404)
    return JSONResponse(shown)


def _control(  # noqa: C901, PLR0911, PLR0912 - one arm for each control
    rime: "Rime", method: str, what: str, asked: dict[str, Any]
) -> dict[str, Any] | None:
    state = rime.state
    match (method, what):
        case ("POST", "keys"):
            state.add_key(asked["key"], projects=_projects(asked))
        case ("POST", "people"):
            state.add_person(asked["email"], asked["password"], projects=_projects(asked))
        case ("POST", "projects"):
            state.add_project(asked["id"], asked.get("name", ""))
        case ("POST", "connectors"):
            state.add_connector(asked["project"], asked["id"], asked.get("name", ""))
        case ("POST", "pipelines"):
            state.add_pipeline(asked["project"], asked["id"], asked.get("name", ""))
        case (_, "live" | "sockets"):
            return _live(rime.live, method, what, asked)
        case ("POST", "runs"):
            asked["hidden"] = frozenset(asked.get("hidden", ()))
            return _shown(state.add_run(asked.pop("owner"), **asked))
        case ("POST", "start"):
            plan = Plan(**asked.pop("plan")) if "plan" in asked else None
            steps = tuple(asked.pop("steps", ()))
            return _shown(state.start_run(asked.pop("owner"), plan=plan, steps=steps, **asked))
        case ("POST", "finish"):
            run = state.owner(asked.pop("owner")).runs[asked.pop("run")]
            state.finish_run(run, **asked)
            return _shown(run)
        case ("POST", "retry"):
            run = state.owner(asked["owner"]).runs[asked["run"]]
            state.retry_run(run)
            return _shown(run)
        case ("GET", "unknowns"):
            pass
        case ("POST", "unknowns"):
            rime.unknowns.set(**asked)
        case ("GET", "harm"):
            return {"harm": [list(call) for call in state.harm]}
        case ("DELETE", "harm"):
            state.harm.clear()
        case _:
            return None
    return asdict(rime.unknowns)


def _live(live: "Live", method: str, what: str, asked: dict[str, Any]) -> dict[str, Any] | None:
    match (method, what):
        case ("GET", "live"):
            return asdict(live.switches)
        case ("POST", "live"):
            live.switches.set(**asked)
            return asdict(live.switches)
        case ("GET", "sockets"):
            return {"open": len(live.open), "sockets": [one.as_json() for one in live.sockets]}
        case ("POST", "sockets"):
            return {"ended": live.end(**asked)}
        case ("DELETE", "sockets"):
            live.forget()
            return {}
    return None


def _projects(asked: dict[str, Any]) -> frozenset[str] | None:
    found = asked.get("projects")
    return None if found is None else frozenset(found)


def _shown(run: Run) -> dict[str, Any]:
    return {**asdict(run), "hidden": sorted(run.hidden)}
