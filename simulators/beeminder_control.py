"""`/_sim/…` of the simulated Beeminder: seeding, looking and pressing from outside the process.

| verb | does |
|---|---|
| POST `app`, `users`, `goals`, `tokens` | makes one, or changes and renames it |
| POST `points` | what a person does by hand: adds, edits (`id`), deletes (`id`, `delete`) |
| POST `refresh`, `remind`, `deauthorize` | the calls that Beeminder makes by itself |
| POST `unknowns` | chooses how the real one behaves where nobody knows |
| GET `datapoints`, `users` | what is there, and all that ever happened to it |
| GET `calls`, `costs` | what was called and answered, what would have cost money |

`faults` and `requests` are in `faults`, `limits` and `closings` in `limiter`.
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict, fields
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from simulators import beeminder_datapoints as points
from simulators import beeminder_road as road
from simulators import beeminder_tokens as tokens
from simulators import beeminder_views as views
from simulators.beeminder_calls import Calls, NotCalledError, Plan
from simulators.beeminder_shapes import BatchShape
from simulators.beeminder_state import BeeminderState
from simulators.beeminder_unknowns import Unknowns

_UNKNOWNS = {each.name for each in fields(Unknowns)}
_Handler = Callable[[dict[str, Any]], Awaitable[Any]]


class Control:
    """Bodies are JSON objects whose names are the keywords of the Python methods."""

    def __init__(self, state: BeeminderState, calls: Calls) -> None:
        self.state = state
        self.calls = calls

    def routes(self) -> list[Route]:
        """One route per verb."""
        posts: dict[str, _Handler] = {
            "app": self._app,
            "users": self._user,
            "goals": self._goal,
            "tokens": self._token,
            "points": self._point,
            "unknowns": self._unknowns,
            "refresh": self._refresh,
            "remind": self._remind,
            "deauthorize": self._deauthorize,
        }
        gets: dict[str, Callable[[Request], Any]] = {
            "datapoints": self._datapoints,
            "calls": lambda _request: [call.as_json() for call in self.calls.made],
            "costs": lambda _request: dict(self.state.cost_calls),
            "users": self._users,
        }
        return [
            *(Route(f"/_sim/{n}", _posting(h), methods=["POST"]) for n, h in posts.items()),
            *(Route(f"/_sim/{n}", _showing(h), methods=["GET"]) for n, h in gets.items()),
        ]

    async def _app(self, asked: dict[str, Any]) -> Any:  # noqa: ANN401 - any JSON
        return asdict(tokens.register_app(self.state, asked.pop("name"), **asked))

    async def _user(self, asked: dict[str, Any]) -> Any:  # noqa: ANN401 - any JSON
        """Makes a user, or changes fields of one that exists (`new_username` renames them)."""
        username = asked.pop("username")
        new_username = asked.pop("new_username", None)
        if username not in self.state.users:
            self.state.add_user(username, **asked)
        elif asked:
            self.state.change_user(username, **asked)
        if new_username:
            username = self.state.rename_user(username, new_username).username
        user = self.state.users[username]
        return {"id": user.id, "username": user.username, "token": user.token}

    async def _goal(self, asked: dict[str, Any]) -> Any:  # noqa: ANN401 - any JSON
        """Makes a goal, or changes fields of one that exists.

        `new_slug` renames it; `safe_days` draws its line so that it has that many now (0: red).
        """
        username, slug = asked.pop("username"), asked.pop("slug")
        new_slug, safe_days = asked.pop("new_slug", None), asked.pop("safe_days", None)
        if slug not in self.state.users[username].goals:
            goal = self.state.add_goal(username, slug, **asked)
        else:
            goal = self.state.change_goal(username, slug, **asked)
        if new_slug:
            self.state.rename_goal(username, slug, new_slug)
        if safe_days is not None:
            road.lay(self.state, goal, safe_days=safe_days)
        return views.goal(self.state, goal, emaciated=True)

    async def _unknowns(self, asked: dict[str, Any]) -> Any:  # noqa: ANN401 - any JSON
        """Sets what nobody knows of the real one, and shows all of it; see `Unknowns`."""
        if "batch_shape" in asked:
            asked["batch_shape"] = BatchShape(**asked["batch_shape"])
        if unknown := sorted(asked.keys() - _UNKNOWNS):
            raise TypeError(f"there is no setting {unknown[0]!r}")
        for name, value in asked.items():
            setattr(self.state, name, value)
        shown = {name: getattr(self.state, name) for name in sorted(_UNKNOWNS)}
        return {**shown, "batch_shape": asdict(self.state.batch_shape)}

    async def _token(self, asked: dict[str, Any]) -> Any:  # noqa: ANN401 - any JSON
        """Mints the OAuth token of a user for an app, as a consent would."""
        return {"access_token": tokens.authorize(self.state, asked["username"], asked["app"])}

    async def _point(self, asked: dict[str, Any]) -> Any:  # noqa: ANN401 - any JSON
        """What a person does by hand: add, edit (`id`) or delete (`id`, `delete`) a datapoint."""
        goal = self.state.goal(asked.pop("username"), asked.pop("slug"))
        point_id = asked.pop("id", None)
        if asked.pop("delete", False):
            point = points.delete(self.state, goal, point_id, via=None)
        elif point_id:
            point = points.change(self.state, goal, point_id, asked, via=None)
        else:
            point, _ = points.upsert(self.state, goal, asked, via=None)
        return views.datapoint(point)

    async def _refresh(self, asked: dict[str, Any]) -> Any:  # noqa: ANN401 - any JSON
        wait = asked.pop("wait", True)
        plan = self.calls.plan_refresh(asked.pop("username"), asked.pop("slug"), **asked)
        return await self._make(plan, wait=wait)

    async def _remind(self, asked: dict[str, Any]) -> Any:  # noqa: ANN401 - any JSON
        wait = asked.pop("wait", True)
        plan = self.calls.plan_reminder(asked.pop("username"), asked.pop("slug"), **asked)
        return await self._make(plan, wait=wait)

    async def _deauthorize(self, asked: dict[str, Any]) -> Any:  # noqa: ANN401 - any JSON
        wait = asked.pop("wait", True)
        plan = self.calls.plan_deauthorize(asked.pop("username"), **asked)
        return await self._make(plan, wait=wait)

    async def _make(self, plan: Plan, *, wait: bool) -> Any:  # noqa: ANN401 - any JSON
        if not wait:
            self.calls.make_soon(plan)
            return {"status": None, "waiting": True}
        return (await self.calls.make(plan)).as_json()

    def _datapoints(self, request: Request) -> Any:  # noqa: ANN401 - any JSON
        """`?user=&goal=`: live points, counts per requestid, and all that ever happened."""
        username, slug = request.query_params["user"], request.query_params["goal"]
        with self.state.lock:
            return {
                "datapoints": [
                    {**views.datapoint(point), "landed_at": point.landed_at}
                    for point in self.state.datapoints(username, slug)
                ],
                "writes": self.state.write_counts(username, slug),
                "history": [asdict(change) for change in self.state.changes(username, slug)],
            }

    def _users(self, _request: Request) -> Any:  # noqa: ANN401 - any JSON
        with self.state.lock:
            return [
                {**views.user(self.state, user), "hook_url": user.hook_url}
                for user in self.state.users.values()
            ]


def _posting(handler: _Handler) -> Callable[[Request], Awaitable[Response]]:
    async def handle(request: Request) -> Response:
        try:
            asked = json.loads(await request.body() or b"{}")
            return JSONResponse(await handler(asked))
        except NotCalledError as exc:
            return JSONResponse({"error": str(exc)}, status_code=409)
        except tokens.ApiError as exc:
            return JSONResponse(exc.payload, status_code=exc.status)
        except (KeyError, TypeError, ValueError) as exc:
            return JSONResponse({"error": f"{type(exc).__name__}: {exc}"}, status_code=422)

    return handle


def _showing(handler: Callable[[Request], Any]) -> Callable[[Request], Awaitable[Response]]:
    async def handle(request: Request) -> Response:
        try:
            return JSONResponse(handler(request))
        except KeyError as exc:
            return JSONResponse({"error": f"unknown {exc}"}, status_code=404)

    return handle
