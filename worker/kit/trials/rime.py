"""RIME, played by its simulator."""

import re
from collections.abc import Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from simulators.rime import Rime
from tasks.metrics.rime_settings import VERSION_PATH
from tasks.trial import DAY, NOON, Feed, Trial

EMAIL = "alice@shop.test"
PASSWORD = "kit-password-of-alice"  # noqa: S105 -- of a simulator
KEY = "kit-key-of-the-shop"
PROJECT, CONNECTOR, PIPELINE = "shop", "orders", "nightly"
HOUR, MINUTE = 3600.0, 60.0
_PAGE = b"limit=2"


class SmallPages:
    """A server that gives less at once than is asked for: then a few runs are a list of pages."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "http":
            scope = {**scope, "query_string": re.sub(rb"limit=\d+", _PAGE, scope["query_string"])}
        await self._app(scope, receive, send)


def by_login(url: str) -> Mapping[str, Any]:
    """Settings of somebody who logs in."""
    place = {"url": f"{url}{VERSION_PATH}", "project": PROJECT}
    return place | {"email": EMAIL, "password": PASSWORD}


def by_key(url: str) -> Mapping[str, Any]:
    """Settings with an API key."""
    return {"url": f"{url}{VERSION_PATH}", "project": PROJECT, "api_key": KEY}


def _shop() -> Rime:
    """A connector with two days of runs, one of which goes on, and a pipeline with two runs."""
    rime = Rime(clock=lambda: NOON)
    state = rime.state
    state.add_person(EMAIL, PASSWORD)
    state.add_key(KEY)
    state.add_project(PROJECT, "The shop")
    state.add_connector(PROJECT, CONNECTOR, "Orders")
    state.add_pipeline(PROJECT, PIPELINE, "Nightly")

    def ran(owner: str, ended: float, status: str, *, minutes: float, rows: int | None) -> None:
        started = ended - minutes * MINUTE
        state.add_run(owner, status=status, rows=rows, started_at=started, finished_at=ended)

    ran(CONNECTOR, NOON - DAY, "Completed", minutes=10, rows=100)
    ran(CONNECTOR, NOON - 12 * HOUR, "Completed", minutes=5, rows=20)  # ends as the day begins
    ran(CONNECTOR, NOON - 3 * HOUR, "Partially failed", minutes=1, rows=5)
    ran(CONNECTOR, NOON - 2 * HOUR, "Failed", minutes=2, rows=900)
    state.add_run(CONNECTOR, status="Running", rows=77, started_at=NOON - HOUR)
    ran(PIPELINE, NOON - DAY, "Failed", minutes=3, rows=None)
    ran(PIPELINE, NOON - HOUR, "Succeeded", minutes=0.5, rows=None)
    return rime


def TRIAL() -> Trial:  # noqa: N802 -- the name that the kit looks for
    """Every metric, of lists that take one page and several; with a login, which asks the most."""
    tenant = SmallPages(_shop().served)
    return Trial(
        settings=by_login,
        answers=Starlette(routes=[Mount(VERSION_PATH, app=tenant)]),
        feeds=[
            _feed("rows_extracted", [0.0, 100.0, 25.0], connector=CONNECTOR),
            _feed("runs_succeeded", [0.0, 1.0, 1.0], connector=CONNECTOR),
            _feed("runs_failed", [0.0, 0.0, 1.0], connector=CONNECTOR),
            _feed("run_minutes", [0.0, 10.0, 8.0], connector=CONNECTOR),
            _feed("runs_failed", [0.0, 1.0, 0.0], pipeline=PIPELINE),
        ],
        absent=_feed("runs_failed", [None, None, None], connector="returns"),
        logins=[f"{VERSION_PATH}/auth/login", f"{VERSION_PATH}/auth/refresh"],
        # A page that names no next one is the last.
        rows=["/next_cursor"],
    )


def _feed(metric: str, values: list[float | None], **params: object) -> Feed:
    days = ("20261118", "20261119", "20261120")
    return Feed(metric=metric, params=params, expected=dict(zip(days, values, strict=True)))
