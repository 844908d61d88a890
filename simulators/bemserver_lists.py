"""Lists and single items of the simulated BEMServer: timeseries, campaigns, states, users."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from simulators import bemserver_arguments as arguments
from simulators.bemserver_data import may_read, may_read_campaign, may_read_scope
from simulators.bemserver_http import HttpError, forbidden, page_header, tagged
from simulators.bemserver_state import BemserverState, Timeseries, User

_PLACES = ("site", "building", "storey")
_FILTERS = ("campaign_id", "campaign_scope_id", "user_id", "space_id", "zone_id", "event_id")


def timeseries(state: BemserverState, user: User, request: Request) -> Response:
    """GET /timeseries/: filters, sort, pages. HttpError 422, 403."""
    query = request.query_params
    given = arguments.Arguments(query)
    wanted = {name: given.one(name, arguments.integer) for name in _FILTERS}
    for place in _PLACES:
        names = (f"{place}_id", f"recurse_{place}_id")
        places = [given.one(name, arguments.integer) for name in names]
        given.schema(
            wrong=None not in places,
            message=f"{names[0]} and {names[1]} are mutually exclusive arguments",
        )
        wanted[names[0]] = places[0] if places[0] is not None else places[1]
    order = given.each("sort", query["sort"].split(",") if "sort" in query else [], _sort_key)
    page = given.one("page", arguments.at_least(1), default=1)
    size = given.one("page_size", arguments.at_least(1, 100), default=10)
    given.done()
    _check_named(state, user, wanted)
    found = [item for item in state.series.values() if may_read(user, item)]
    found = [item for item in found if _passes(item, query.get, wanted)]
    if wanted["user_id"] is not None:
        person = state.users.get(wanted["user_id"])
        found = [item for item in found if person and _is_member(person, item)]
    if (
        not order
        and not user.is_admin
        and len(found) == len([item for item in state.series.values() if may_read(user, item)])
    ):
        found.reverse()  # without `sort` the order is nobody's promise; this one was seen
    for key in reversed(order):
        found.sort(key=lambda item: item.name, reverse=key == "-name")
    shown = [_timeseries(item) for item in found[(page - 1) * size : page * size]]
    header = page_header(total=len(found), page=page, size=size)
    return tagged(request, shown, pagination=header)


def one_timeseries(state: BemserverState, user: User, request: Request, number: str) -> Response:
    """GET /timeseries/<id>: 404, then 403."""
    item = state.series.get(int(number)) if number.isdigit() else None
    if item is None:
        raise HttpError(404)
    if not may_read(user, item):
        raise forbidden()
    return tagged(request, _timeseries(item))


def campaigns(state: BemserverState, user: User, request: Request) -> Response:
    """GET /campaigns/: the whole list, not paged."""
    name, part = request.query_params.get("name"), request.query_params.get("in_name")
    shown = [
        asdict(item)
        for item in state.campaigns.values()
        if may_read_campaign(state, user, item.id)
        and name in (None, item.name)
        and (part is None or part.lower() in item.name.lower())
    ]
    return tagged(request, shown)


def one_campaign(state: BemserverState, user: User, request: Request, number: str) -> Response:
    """GET /campaigns/<id>: 404, then 403."""
    item = state.campaigns.get(int(number)) if number.isdigit() else None
    if item is None:
        raise HttpError(404)
    if not may_read_campaign(state, user, item.id):
        raise forbidden()
    return tagged(request, asdict(item))


def data_states(state: BemserverState, request: Request) -> Response:
    """GET /timeseries_data_states/: not paged."""
    return tagged(request, [{"id": key, "name": name} for key, name in state.data_states.items()])


def users(state: BemserverState, user: User, request: Request) -> Response:
    """GET /users/: all of them for an admin, oneself for others."""
    shown = [
        {
            "id": item.id,
            "name": item.name,
            "email": item.email,
            "is_admin": item.is_admin,
            "is_active": item.is_active,
        }
        for item in state.users.values()
        if user.is_admin or item.id == user.id
    ]
    return tagged(request, shown)


def _check_named(state: BemserverState, user: User, wanted: dict[str, int | None]) -> None:
    """What exists and is not the user's is forbidden; what does not exist finds nothing."""
    campaign, scope, person = (
        wanted[name] for name in ("campaign_id", "campaign_scope_id", "user_id")
    )
    if campaign in state.campaigns and not may_read_campaign(state, user, campaign):
        raise forbidden()
    if scope in state.scopes and not may_read_scope(user, scope):
        raise forbidden()
    if person in state.users and not (user.is_admin or person == user.id):
        raise forbidden()


def _is_member(person: User, item: Timeseries) -> bool:
    """Whether the series is in a scope of the person, whose being an admin does not count here."""
    return person.scopes is None or item.campaign_scope_id in person.scopes


def _passes(
    item: Timeseries, asked: Callable[[str], str | None], wanted: dict[str, int | None]
) -> bool:
    if asked("name") not in (None, item.name):
        return False
    if (asked("in_name") or "").lower() not in item.name.lower():
        return False
    if asked("unit_symbol") not in (None, item.unit_symbol):
        return False
    # There are no places and events here, so asking for one finds nothing.
    others = {**wanted, "user_id": None}
    for name in ("campaign_id", "campaign_scope_id"):
        if others.pop(name) not in (None, getattr(item, name)):
            return False
    return all(value is None for value in others.values())


def _sort_key(text: str) -> str:
    return arguments.one_of("name", "+name", "-name")(text)


def _timeseries(item: Timeseries) -> dict[str, Any]:
    shown = {
        "id": item.id,
        "name": item.name,
        "unit_symbol": item.unit_symbol,
        "description": item.description,
        "campaign_id": item.campaign_id,
        "campaign_scope_id": item.campaign_scope_id,
    }
    return {name: value for name, value in shown.items() if value is not None}
