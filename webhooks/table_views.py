"""The plain tables, by `sqladmin`: read-only, without secrets, in our own dress.

The library lists rows, pages them, and finds one by its key. Of its addresses only those of lists
and rows are there, its connections can't write, and its pages are made of our templates: so none of
its scripts and styles is sent, and our policy for pages stands as it is.
Imported when the first table is opened: nobody else has to carry it.
"""

import json
from collections.abc import Mapping
from typing import Any, ClassVar, cast
from urllib.parse import quote, unquote

import sqladmin
from sqladmin.templating import Jinja2Templates
from sqlalchemy import Column, ColumnElement, Select, func, inspect, select
from sqlalchemy.orm import load_only
from sqlalchemy.sql.sqltypes import JSON, Integer, String
from sqlmodel import AutoString, SQLModel
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from db import models, models_notebook, models_pages, models_points, models_runs, searching
from db.models_limits import Breaker
from webhooks import filters, rendering, withheld
from webhooks.receiver import Receiver
from webhooks.visits import Visit

BASE = "/operator/tables"
PER_PAGE = 25
MOST_COLUMNS = 8  # of a list; the page of a row has all of them
JOIN = ";"  # of the parts of a key; quoted where it stands in one
OURS = ("index", "list", "details")
NAMES = ("username", "slug", "name", "metric", "subject", "run_id", "title", "requestid")
# What tells most of a row, and stands first in lists.
TELLING = (
    *("username", "slug", "name", "provider", "actor", "action", "subject", "kind", "daystamp"),
    *("label", "metric", "value", "state", "reason", "title", "user_id", "goal_id", "feed_id"),
    *("source_id", "received_at", "at", "due_at", "sent_at", "seen_at", "last_error", "error"),
)
MOST = 10**filters.MOST_DIGITS
# No one-time links, which are secrets from one end to the other; no gates, whose keys may be made
# of those of an account (they have a page of their own); no addresses that were asked; no counts
# of workers, which `/metrics` tells.
TABLES: tuple[type[SQLModel], ...] = (
    models.User,
    models.Source,
    models.Goal,
    models.Feed,
    models.Event,
    models.Cover,
    models_points.Datapoint,
    models_points.Sending,
    models_points.Day,
    models.Backfill,
    models.Notice,
    Breaker,
    models.Worker,
    models_runs.Run,
    models_notebook.Sighted,
    models_pages.Errand,
    models_pages.Channel,
    models_pages.Message,
    models_pages.Alert,
    models_pages.Deed,
)


class Plain(sqladmin.ModelView):
    """A table that can be looked at. What is a secret is not even read."""

    can_create = can_edit = can_delete = can_export = can_import = False
    page_size = PER_PAGE
    page_size_options = (PER_PAGE,)
    list_template = "operator/table.html"
    details_template = "operator/row.html"
    # Every column but secrets; the one to search in, if any has a name in it.
    shown: ClassVar[list[str]] = []
    named: ClassVar[str | None] = None
    has_state: ClassVar[bool] = False

    def list_query(self, request: Request) -> Select[Any]:
        """The rows of one state, or with a name like that, where that is asked for."""
        return self._open().where(*self._asked(request))

    def search_query(self, stmt: Select[Any], term: str) -> Select[Any]:  # noqa: ARG002 -- the library's
        """What was typed is looked for by `list_query` already, as it stands and as no pattern."""
        return stmt

    async def count(self, request: Request, stmt: Select[Any] | None = None) -> int:  # noqa: ARG002 -- as above
        """How many rows there are, without a look at what is in them."""
        asked = select(func.count()).select_from(self.model).where(*self._asked(request))
        return int((await self._run_query(asked))[0])

    def _asked(self, request: Request) -> list[ColumnElement[bool]]:
        query = request.query_params
        columns: Mapping[str, ColumnElement[Any]] = inspect(self.model).columns
        state, name = query.get("state", "").strip(), query.get("search", "").strip()
        asked: list[ColumnElement[bool]] = []
        if state and self.has_state:
            asked.append(columns["state"] == state)
        if name and self.named is not None:
            asked.append(searching.contains(columns[self.named], name))
        return asked

    def details_query(self, request: Request) -> Select[Any]:
        """The row of this key; what can be no key is no row."""
        given = request.path_params["pk"].split(JOIN)
        if len(given) != len(self.pk_columns):
            raise HTTPException(404)
        asked = self._open()
        for column, part in zip(self.pk_columns, given, strict=True):
            asked = asked.where(column == _value(column, unquote(part)))
        return asked

    def _open(self) -> Select[Any]:
        shown = (getattr(self.model, name) for name in self.shown)
        return select(self.model).options(load_only(*shown, raiseload=True))

    async def list_context(self, request: Request) -> dict[str, Any]:
        """What our templates need beside the rows."""
        return _context(request, f"{self.name_plural} · Waggle")

    async def details_context(self, request: Request) -> dict[str, Any]:
        """The same for one row."""
        return _context(request, f"{self.name} · Waggle")


class Tables(sqladmin.Admin):
    """All tables of one receiver."""

    def __init__(self, receiver: Receiver) -> None:
        super().__init__(
            Starlette(),
            engine=receiver.ledger.reading_engine,
            base_url=BASE,
            templates_dir=str(rendering.TEMPLATES),
        )
        self.admin.router.routes = [
            route
            for route in self.admin.router.routes
            if isinstance(route, Route) and route.name in OURS
        ]
        self.admin.router.redirect_slashes = False
        for table in TABLES:
            self.add_view(_view(table))

    def init_templating_engine(self) -> Jinja2Templates:
        """The library's, which finds our templates first and knows our words."""
        templates = super().init_templating_engine()
        rendering.teach(templates.env)
        templates.env.filters |= {"cell": cell, "key": key}
        return templates

    async def index(self, request: Request) -> Response:
        """Which tables there are."""
        context = _context(request, "Tables · Waggle")
        made = await self.templates.TemplateResponse(request, "operator/tables.html", context)
        return cast("Response", made)


class Inside(Response):
    """What the library answers inside a visit that was let in, with the headers of our pages."""

    def __init__(self, tables: Tables, visit: Visit) -> None:
        super().__init__()
        self._tables = tables
        self._visit = visit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on to the router alone, so that errors are told as everywhere else."""
        inner = {
            **scope,
            "root_path": scope.get("root_path", "") + BASE,
            "state": {**scope.get("state", {}), "visit": self._visit},
        }

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                ours = {name.lower().encode(): it for name, it in rendering.HEADERS.items()}
                kept = [pair for pair in message["headers"] if pair[0] not in ours]
                more = [(name, value.encode()) for name, value in ours.items()]
                message = {**message, "headers": [*kept, *more]}
            await send(message)

        await self._tables.admin.router(inner, receive, dressed)


def cell(value: Any, longest: int | None = None) -> str:  # noqa: ANN401 -- whatever a column holds
    """A value as text: JSON without secrets, nothing as nothing; cut where there is little room."""
    if value is None:
        return ""
    if isinstance(value, dict | list):
        value = json.dumps(withheld.without_secrets(value), ensure_ascii=False, indent=None)
    text = repr(value) if isinstance(value, float) else str(value)
    return text if longest is None or len(text) <= longest else f"{text[: longest - 1]}…"


def key(row: SQLModel) -> str:
    """What names a row in an address: the values of its key, each as if it stood there alone."""
    columns = inspect(type(row)).primary_key
    return JOIN.join(quote(str(getattr(row, column.key)), safe="") for column in columns)


def _value(column: Column[Any], text: str) -> str | float:
    """A part of a key as its column has it; what can be none is not found."""
    if _is_text(column):
        return text
    try:
        value = int(text) if isinstance(column.type, Integer) else float(text)
    except ValueError:
        raise HTTPException(404) from None
    if not abs(value) < MOST:  # also where it is no number
        raise HTTPException(404)
    return value


def _is_text(column: Column[Any]) -> bool:
    return isinstance(column.type, String | AutoString)


def _view(table: type[SQLModel]) -> type[Plain]:
    """The view of a table, made anew for each receiver: the library keeps the engine on it."""
    columns = [attr.columns[0] for attr in inspect(table).column_attrs]
    shown = [column.key for column in columns if not withheld.secret(column.key)]
    keys = [column.key for column in columns if column.primary_key]
    brief = [column.key for column in columns if not isinstance(column.type, JSON)]
    brief = [key for key in brief if key in shown and key not in keys]
    brief.sort(key=lambda key: TELLING.index(key) if key in TELLING else len(TELLING))
    texts = {column.key for column in columns if _is_text(column)}
    whole = all(isinstance(column.type, Integer) for column in columns if column.primary_key)
    called = table.__name__.capitalize()

    class View(Plain, model=table):
        name = called
        name_plural = f"{called}s"
        column_list = [*keys, *brief[: MOST_COLUMNS - len(keys)]]  # noqa: RUF012 -- as the library has it
        column_details_list = shown  # as above
        column_default_sort = [(key, whole or called == "Event") for key in keys]  # noqa: RUF012 -- as above

    View.shown = shown
    View.named = next((key for key in NAMES if key in texts and key in shown), None)
    View.has_state = "state" in shown
    return View


def _context(request: Request, title: str) -> dict[str, Any]:
    visit: Visit = request.state.visit
    return {
        "title": title,
        "viewer": visit.viewer,
        "now": visit.now,
        "zone": visit.viewer.zone,
        "here": request.scope["path"],
        "told": None,
        "base": BASE,
        "query": dict.fromkeys(("search", "state"), "") | dict(request.query_params),
    }
