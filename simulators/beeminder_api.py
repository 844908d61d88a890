"""The documented endpoints under `/api/v1/`, dispatched by method and path."""

import hashlib
import itertools
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from simulators import beeminder_batches as batches
from simulators import beeminder_datapoints as points
from simulators import beeminder_goals as goals
from simulators import beeminder_views as views
from simulators.beeminder_calls import Calls
from simulators.beeminder_state import BeeminderState, Goal
from simulators.beeminder_tokens import ApiError, Caller, caller, not_found

# Each of these takes money or changes what is at stake; a client of ours must never get here.
COSTING = frozenset(
    {"shortcircuit", "stepdown", "cancel_stepdown", "uncleme", "ratchet", "dial_road"}
)
_SORRY = "<!doctype html><title>500</title><h1>We're sorry, but something went wrong.</h1>"
_YES = ("true", "1", "True", True, 1)


class Api:
    """`answer` is the handler of `/api/v1/{rest:path}`."""

    def __init__(self, state: BeeminderState, calls: Calls) -> None:
        self.state = state
        self.calls = calls
        self._numbers = itertools.count(1)

    async def answer(self, request: Request) -> Response:
        """Any endpoint; `.json` at the end is optional."""
        segments = request.path_params["rest"].removesuffix(".json").split("/")
        try:
            params = await parameters(request)
            status, payload = self._dispatch(request, segments, params)
        except ApiError as exc:
            status, payload = exc.status, exc.payload
        except batches.TooManyError:
            return self._named(HTMLResponse(_SORRY, status_code=500))
        return self._named(_json(request, status, payload))

    def _named(self, answer: Response) -> Response:
        answer.headers["x-request-id"] = f"sim-{next(self._numbers):08d}"
        return answer

    def _dispatch(
        self, request: Request, segments: list[str], params: Mapping[str, Any]
    ) -> tuple[int, Any]:
        if segments == ["auth_token"]:
            return 401, {"error": "You are not logged in."}
        who = caller(
            self.state, params=dict(params), authorization=request.headers.get("authorization")
        )
        match (request.method, *segments):
            case ("POST", "charges"):
                self.state.cost_calls["charges"] += 1
                return 200, {
                    "id": self.state.new_id(),
                    "amount": params.get("amount"),
                    "note": params.get("note"),
                    "username": params.get("user_id"),
                }
            case (method, "users", username, *rest) if username in ("me", who.user.username):
                return self._of_user(method, rest, params, who)
            case _:
                raise not_found()

    def _of_user(
        self, method: str, rest: list[str], params: Mapping[str, Any], who: Caller
    ) -> tuple[int, Any]:
        state, emaciated = self.state, flag(params, "emaciated")
        with state.lock:
            match (method, *rest):
                case ("GET",):
                    return 200, _user(state, params, who)
                case ("GET", "goals") | ("GET", "goals", "archived"):
                    archived = rest[-1] == "archived"
                    now = state.clock()
                    known = who.user.goals.values()
                    chosen = [goal for goal in known if goal.is_archived(now) == archived]
                    shown = [views.goal(state, goal, emaciated=emaciated) for goal in chosen]
                    return 200, sorted(shown, key=lambda goal: str(goal["urgencykey"]))
                case ("POST", "goals"):
                    return 200, goals.create(state, who.user, params)
                case (_, "goals", slug, *more) if slug.lower() in who.user.goals:
                    goal = who.user.goals[slug.lower()]
                    return self._of_goal(method, more, params, goal, who)
                case _:
                    raise not_found()

    def _of_goal(  # noqa: PLR0911 - one arm per endpoint
        self, method: str, rest: list[str], params: Mapping[str, Any], goal: Goal, who: Caller
    ) -> tuple[int, Any]:
        state, via, thin = self.state, who.kind, flag(params, "emaciated")
        match (method, *rest):
            case ("GET",):
                wanted = flag(params, "datapoints")
                return 200, views.goal(state, goal, emaciated=thin, datapoints=wanted)
            case ("PUT" | "PATCH",):
                goals.change(state, goal, params)
                return 200, views.goal(state, goal, emaciated=thin)
            case ("GET", "refresh_graph"):
                return 200, self.calls.refresh_soon(goal)
            case ("GET", "datapoints"):
                return 200, points.listed(goal, params)
            case ("POST", "datapoints"):
                return 200, points.create(state, goal, params, via=via)
            case ("POST", "datapoints", "create_all"):
                return batches.create_all(state, goal, params, via=via)
            case ("PUT" | "PATCH", "datapoints", datapoint_id):
                changed = points.change(state, goal, datapoint_id, params, via=via)
                return 200, views.datapoint(changed)
            case ("DELETE", "datapoints", datapoint_id):
                return 200, views.datapoint(points.delete(state, goal, datapoint_id, via=via))
            case ("POST", action) if action in COSTING:
                state.cost_calls[action] += 1
                return 200, views.goal(state, goal)
            case _:
                raise not_found()


def _user(state: BeeminderState, params: Mapping[str, Any], who: Caller) -> dict[str, Any]:
    since, count = params.get("diff_since"), params.get("datapoints_count")
    try:
        return views.user(
            state,
            who.user,
            diff_since=None if since in (None, "") else float(since),
            datapoints_count=None if count in (None, "") else int(count),
            associations=flag(params, "associations"),
            skinny=flag(params, "skinny"),
            emaciated=flag(params, "emaciated"),
        )
    except (TypeError, ValueError) as exc:
        raise ApiError(400, {"errors": str(exc)}) from exc


def flag(params: Mapping[str, Any], name: str) -> bool:
    """Whether a boolean parameter is set."""
    return params.get(name) in _YES


async def parameters(request: Request) -> dict[str, Any]:
    """Query, form and JSON body together; the body wins. ApiError 400 for malformed JSON."""
    found: dict[str, Any] = dict(request.query_params)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = await request.body()
    if kind == "application/json" and body:
        try:
            given = json.loads(body)
        except ValueError as exc:
            raise ApiError(400, {"errors": "malformed JSON"}) from exc
        if isinstance(given, dict):
            found.update(given)
    elif kind == "application/x-www-form-urlencoded":
        found.update(parse_qsl(body.decode(), keep_blank_values=True))
    return found


def _json(request: Request, status: int, payload: Any) -> Response:  # noqa: ANN401 - any JSON
    body = json.dumps(payload, separators=(",", ":")).encode()
    headers = {}
    if request.method == "GET" and status == 200:  # noqa: PLR2004 - the one that is cached
        tag = f'W/"{hashlib.sha256(body).hexdigest()[:32]}"'
        headers = {"etag": tag, "cache-control": "max-age=0, private, must-revalidate"}
        if tag in re.split(r",\s*", request.headers.get("if-none-match", "")):
            return Response(status_code=304, headers=headers)
    return Response(body, status, headers, "application/json; charset=utf-8")
