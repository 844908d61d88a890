"""A BEMServer on a local port: tokens, timeseries, data, and limits and faults on request.

    bemserver = Bemserver()
    bemserver.state.add_user("alice@bem.test", "alice-pw-1")
    bemserver.state.add_series("Elec", unit="kWh", values=[("2026-11-01T00:00Z", 1.5)])
    with LocalServer(bemserver.app) as server:
        ...

It can be mounted under any prefix (`bemserver.limiter`).
"""

import dataclasses
import json
import re
import time
from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from simulators import bemserver_data as data
from simulators import bemserver_lists as lists
from simulators import bemserver_tokens as tokens
from simulators.bemserver_http import HttpError, answer, redirect_to_slash, tagged
from simulators.bemserver_state import BemserverState
from simulators.faults import Faults
from simulators.limiter import Limiter

VERSIONS = {"bemserver_core": "0.22.0", "bemserver_api": "0.27.0"}
_COLLECTIONS = ("about", "timeseries", "timeseries_data", "timeseries_data_states", "campaigns")
_WITHOUT_SLASH = re.compile(rf"({'|'.join(_COLLECTIONS)}|users|timeseries_data/campaign/\d+)")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_LONGEST_PASSWORD = 80


class Bemserver:
    """`app` is the whole service with `faults` around it; `state` and `keys` are for tests.

    `limiter` is the service without the faults. The real one has no limit, but what stands in
    front of it may: one for everybody.
    """

    def __init__(self, *, clock: Callable[[], float] = time.time, seed: int = 0) -> None:
        self.state = BemserverState(clock=clock)
        self.keys = tokens.Keys()
        self.limiter = Limiter(Starlette(routes=self.routes()), clock=clock)
        self.app = self.faults = Faults(self.limiter, seed=seed, clock=clock)

    def routes(self) -> list[BaseRoute]:
        """Everything but the limits and the faults."""
        verbs = ["GET", "POST", "PUT", "PATCH", "DELETE"]
        return [
            Route("/_sim/{what}", self.control, methods=["GET", "POST"]),
            Route("/{rest:path}", self._answer, methods=verbs),
        ]

    def token_pair(self, email: str) -> dict[str, str]:
        """A pair as the login gives it."""
        return tokens.pair(self.keys, email, now=self.state.clock())

    async def _answer(self, request: Request) -> Response:
        rest = request.path_params["rest"]
        try:
            if _WITHOUT_SLASH.fullmatch(rest):
                return redirect_to_slash(request)
            body = await request.body()
            with self.state.lock:
                return self._dispatch(request, rest, body)
        except HttpError as exc:
            return answer(exc.payload, status=exc.status, headers=exc.headers)

    def _dispatch(self, request: Request, rest: str, body: bytes) -> Response:
        if rest in ("auth/token", "auth/token/refresh"):
            if request.method != "POST":
                raise HttpError(405)
            return self._login(request, body) if rest == "auth/token" else self._renew(request)
        handler = self._reader(request, rest)
        if handler is None:
            raise HttpError(404)
        if request.method not in ("GET", "HEAD"):
            raise HttpError(405)
        return handler()

    def _reader(  # noqa: C901, PLR0911 - one arm per route
        self, request: Request, rest: str
    ) -> Callable[[], Response] | None:
        """What answers a GET of this path, None if there is no such route."""
        state = self.state

        def user() -> Any:  # noqa: ANN401 - the user of either token kind
            given = request.headers.get("authorization")
            return tokens.user_of(state, self.keys, given, kind="access")

        match rest.split("/"):
            case ["about", ""]:
                return lambda: tagged(request, {"versions": VERSIONS})
            case ["users", ""]:
                return lambda: lists.users(state, user(), request)
            case ["campaigns", ""]:
                return lambda: lists.campaigns(state, user(), request)
            case ["campaigns", number]:
                return lambda: lists.one_campaign(state, user(), request, number)
            case ["timeseries", ""]:
                return lambda: lists.timeseries(state, user(), request)
            case ["timeseries", number]:
                return lambda: lists.one_timeseries(state, user(), request, number)
            case ["timeseries_data_states", ""]:
                return lambda: user() and lists.data_states(state, request)
            case ["timeseries_data", what]:
                return self._data(request, what, user, None)
            case ["timeseries_data", "campaign", number, what] if number.isdigit():
                return self._data(request, what, user, int(number))
        return None

    def _data(
        self, request: Request, what: str, user: Callable[[], Any], campaign: int | None
    ) -> Callable[[], Response] | None:
        read = {"": data.values, "aggregate": data.aggregates, "stats": data.stats}.get(what)
        if read is None:
            return None

        def handler() -> Response:
            who = user()
            self.state.grow()
            return read(self.state, who, request, campaign)

        return handler

    def _login(self, request: Request, body: bytes) -> Response:
        given: Any = {}
        if body and _is_json(request.headers.get("content-type", "")):
            try:
                given = json.loads(body)
            except ValueError:
                raise HttpError(400, errors={"json": ["Invalid JSON body."]}) from None
        if errors := _login_errors(given):
            raise HttpError(422, errors={"json": errors})
        for user in self.state.users.values():
            if (user.email, user.password) == (given["email"], given["password"]):
                if user.is_active:
                    return answer({"status": "success", **self.token_pair(user.email)})
                break
        return answer({"status": "failure"})  # and 200: whoever looks at the status only is fooled

    def _renew(self, request: Request) -> Response:
        given = request.headers.get("authorization")
        user = tokens.user_of(self.state, self.keys, given, kind="refresh")
        return answer({"status": "success", **self.token_pair(user.email)})

    async def control(self, request: Request) -> Response:
        """`/_sim/series`, `/_sim/data`, `/_sim/users`, `/_sim/keys`: names as in Python."""
        asked = json.loads(await request.body() or b"{}")
        state = self.state
        shown: dict[str, Any] = {}
        try:
            match (request.method, request.url.path.rpartition("/")[2]):
                case ("GET", "series"):
                    shown = {"series": [dataclasses.asdict(item) for item in state.series.values()]}
                case ("POST", "series"):
                    shown = dataclasses.asdict(state.add_series(asked.pop("name"), **asked))
                case ("POST", "data"):
                    state.set_values(asked.pop("series"), asked.pop("values"), **asked)
                case ("POST", "users"):
                    made = state.add_user(asked.pop("email"), asked.pop("password"), **asked)
                    shown = {"id": made.id, "email": made.email}
                case ("POST", "keys"):
                    self.keys = dataclasses.replace(self.keys, **asked)
                case _:
                    return JSONResponse({"error": "no such control"}, status_code=404)
        except (KeyError, TypeError, ValueError) as exc:
            return JSONResponse({"error": f"{type(exc).__name__}: {exc}"}, status_code=422)
        return JSONResponse(shown)


def _is_json(content_type: str) -> bool:
    media = content_type.partition(";")[0].strip().lower()
    return media == "application/json" or (media.startswith("application/") and "+json" in media)


def _login_errors(given: Any) -> dict[str, list[str]]:  # noqa: ANN401 - any JSON
    if not isinstance(given, dict):
        return {"_schema": ["Invalid input type."]}
    errors = {}
    for name in ("email", "password"):
        if name not in given:
            errors[name] = ["Missing data for required field."]
        elif given[name] is None:
            errors[name] = ["Field may not be null."]
        elif not isinstance(given[name], str):
            words = {"email": "Not a valid email address.", "password": "Not a valid string."}
            errors[name] = [words[name]]
    if "email" not in errors and not _EMAIL.fullmatch(given["email"]):
        errors["email"] = ["Not a valid email address."]
    if "password" not in errors and not 1 <= len(given["password"]) <= _LONGEST_PASSWORD:
        errors["password"] = [f"Length must be between 1 and {_LONGEST_PASSWORD}."]
    return errors | {
        name: ["Unknown field."] for name in given if name not in ("email", "password")
    }
