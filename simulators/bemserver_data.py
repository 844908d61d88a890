"""`/timeseries_data/…`: values, aggregates and statistics, by id or by name in a campaign."""

import csv
import io
import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import Response

from simulators import bemserver_arguments as arguments
from simulators import bemserver_buckets as buckets
from simulators import bemserver_units as units
from simulators import bemserver_zones
from simulators.bemserver_http import HttpError, answer, forbidden, invalid
from simulators.bemserver_state import BemserverState, Timeseries, User

_SECOND = 1_000_000
Column = Mapping[int, float | int | None]
"""Values by instant in epoch microseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The arguments that values and aggregates share, and the series they name."""

    series: dict[str, Timeseries]
    start: int
    end: int
    state: int
    zone: ZoneInfo
    units: dict[str, str]


def values(state: BemserverState, user: User, request: Request, campaign: int | None) -> Response:
    """Answer GET /timeseries_data/."""
    given = arguments.Arguments(request.query_params)
    asked = _asked(state, user, given, campaign)
    columns: dict[str, Column] = {}
    for key, series in asked.series.items():
        try:
            units.check(series.unit_symbol, asked.units.get(key, series.unit_symbol))
        except units.DimensionError as exc:
            raise HttpError(422, message=str(exc)) from exc
        points = state.samples(series.id, asked.state).between(asked.start, asked.end)
        columns[key] = _converted(dict(points), series, asked.units.get(key))
    return _table(request, columns, asked.zone, keep_empty=False)


def aggregates(
    state: BemserverState, user: User, request: Request, campaign: int | None
) -> Response:
    """Answer GET /timeseries_data/aggregate."""
    given = arguments.Arguments(request.query_params)
    width = given.one("bucket_width_value", arguments.at_least(1), required=True)
    unit = given.one("bucket_width_unit", arguments.one_of(*buckets.UNITS), required=True)
    function = given.one("aggregation", arguments.one_of(*buckets.FUNCTIONS), default="avg")
    if not given.errors and width > 1 and unit not in buckets.FIXED:
        given.errors["bucket_width_value"] = [
            "Only fixed bucket width units (second, minute, hour) accept a value different than 1."
        ]
    asked = _asked(state, user, given, campaign)
    try:
        edges = buckets.grid(asked.start, asked.end, unit=unit, zone=asked.zone, width=width)
    except buckets.UncertainMidnight as exc:
        raise HttpError(500) from exc
    if not edges:
        return _table(request, {key: {} for key in asked.series}, asked.zone, keep_empty=False)
    for key, series in asked.series.items():
        source = "count" if function == "count" else series.unit_symbol
        try:
            units.check(source, asked.units.get(key, source))
        except units.DimensionError as exc:
            raise HttpError(500) from exc  # the real one does not catch it here
    points = [
        state.samples(series.id, asked.state).between(edges[0], edges[-1])
        for series in asked.series.values()
    ]
    if width == 1:
        zone = bemserver_zones.of_the_database(asked.zone)
        found = [
            buckets.reindexed(edges, column, function, unit=unit, zone=zone) for column in points
        ]
    else:
        found = buckets.multiplied(edges, points, function, unit=unit, width=width, zone=asked.zone)
    columns = {
        key: _converted(column, series, None if function == "count" else asked.units.get(key))
        for (key, series), column in zip(asked.series.items(), found, strict=True)
    }
    return _table(request, columns, asked.zone, keep_empty=True)


def stats(state: BemserverState, user: User, request: Request, campaign: int | None) -> Response:
    """Answer GET /timeseries_data/stats."""
    given = arguments.Arguments(request.query_params)
    keys = given.many("timeseries", _key_parser(campaign), required=True)
    state_id = given.one("data_state", arguments.integer, required=True)
    zone = given.one("timezone", arguments.zone, default=UTC)
    given.done()
    _check_state(state, state_id)
    found = {}
    for key, series in _series(state, user, keys, campaign).items():
        samples = state.samples(series.id, state_id)
        numbers = [samples.values[at] for at in samples.times]
        many = len(numbers) > 1
        spread = statistics.stdev(numbers) if many and max(map(abs, numbers)) < 1e300 else None  # noqa: PLR2004 - infinity
        found[key] = {
            "first_timestamp": _stamp(samples.times[0], zone) if numbers else None,
            "last_timestamp": _stamp(samples.times[-1], zone) if numbers else None,
            "count": len(numbers),
            "min": min(numbers, default=None),
            "max": max(numbers, default=None),
            "avg": sum(numbers) / len(numbers) if numbers else None,
            "stddev": spread,
        }
    return answer({"stats": found})


def _asked(
    state: BemserverState, user: User, given: arguments.Arguments, campaign: int | None
) -> Asked:
    """Checks the shared arguments. HttpError 422, 404, 403 in the real order."""
    before, given.errors = given.errors, {}
    keys = given.many("timeseries", _key_parser(campaign), required=True)
    start = given.one("start_time", arguments.instant, required=True)
    end = given.one("end_time", arguments.instant, required=True)
    state_id = given.one("data_state", arguments.integer, required=True)
    zone = given.one("timezone", arguments.zone, default=ZoneInfo("UTC"))
    wanted = given.many("convert_to", _unit)
    given.schema(
        wrong=bool(wanted) and len(wanted) != len(keys),
        message="If provided, convert_to must be the same size as timeseries.",
    )
    given.errors |= before
    given.done()
    _check_state(state, state_id)
    return Asked(
        series=_series(state, user, keys, campaign),
        start=_microseconds(start),
        end=_microseconds(end),
        state=state_id,
        zone=zone,
        units={str(key): unit for key, unit in zip(keys, wanted, strict=False) if unit != ""},
    )


def _check_state(state: BemserverState, state_id: int) -> None:
    if state_id not in state.data_states:
        # Not a list, unlike every other message.
        raise invalid({"data_state": "Unknown data state ID"})


def _key_parser(campaign: int | None) -> Callable[[str], int | str]:
    return arguments.integer if campaign is None else str


def _unit(symbol: str) -> str:
    if symbol not in units.UNITS:
        raise arguments.BadArgument("Undefined unit.")
    return symbol


def _series(
    state: BemserverState, user: User, keys: Sequence[int | str], campaign: int | None
) -> dict[str, Timeseries]:
    """The asked series by key in asked order. HttpError 404, 403, 422."""
    if campaign is None:
        known: Mapping[Any, Timeseries] = state.series
    else:
        if campaign not in state.campaigns:
            raise HttpError(404)
        if not may_read_campaign(state, user, campaign):
            raise forbidden()
        known = {item.name: item for item in state.series.values() if item.campaign_id == campaign}
    if unknown := [key for key in keys if key not in known]:
        raise HttpError(422, message=f"Unknown timeseries: {unknown!r}")
    found = {str(key): known[key] for key in keys}
    if not all(may_read(user, series) for series in found.values()):
        raise forbidden()
    return found


def may_read(user: User, series: Timeseries) -> bool:
    """Membership of the scope decides."""
    return may_read_scope(user, series.campaign_scope_id)


def may_read_scope(user: User, scope: int) -> bool:
    """Whether the user is a member of it."""
    return user.is_admin or user.scopes is None or scope in user.scopes


def may_read_campaign(state: BemserverState, user: User, campaign: int) -> bool:
    """Whether any scope of it is the user's."""
    if user.is_admin or user.scopes is None:
        return True
    return any(state.scopes[scope].campaign_id == campaign for scope in user.scopes)


def _microseconds(moment: datetime) -> int:
    return int(moment.replace(microsecond=0).timestamp()) * _SECOND + moment.microsecond


def _converted(column: Column, series: Timeseries, unit: str | None) -> Column:
    if unit is None:
        return column
    return {
        at: None if value is None else units.convert(value, series.unit_symbol, unit)
        for at, value in column.items()
    }


def _stamp(at: int, zone: tzinfo) -> str:
    moment = datetime.fromtimestamp(at // _SECOND, zone).replace(microsecond=at % _SECOND)
    return moment.isoformat()


def _table(
    request: Request, columns: Mapping[str, Column], zone: tzinfo, *, keep_empty: bool
) -> Response:
    """CSV for the exact Accept header, JSON for all others, labelled as what was asked for."""
    wanted = request.headers.get("accept")
    if wanted == "text/csv":
        instants = sorted({at for column in columns.values() for at in column})
        table = io.StringIO()
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow(["Datetime", *columns])
        for at in instants:
            stamp = datetime.fromtimestamp(at // _SECOND, zone).strftime("%Y-%m-%dT%H:%M:%S%z")
            cells = ["" if (v := c.get(at)) is None else repr(v) for c in columns.values()]
            writer.writerow([stamp, *cells])
        return Response(table.getvalue(), headers={"content-type": "text/csv; charset=utf-8"})
    shown = {
        key: {_stamp(at, zone): value for at, value in column.items()}
        for key, column in columns.items()
        if column or keep_empty
    }
    label = wanted or "application/json"
    if label.startswith("text/"):
        label += "; charset=utf-8"
    return Response(json.dumps(shown), headers={"content-type": label})
