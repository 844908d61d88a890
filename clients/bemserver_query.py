"""How BEMServer is asked: which series, and over which time."""

import dataclasses
import datetime as dt
from collections.abc import Iterator, Sequence

# The server ignores a filter it does not know and would answer with every series.
FILTERS = frozenset(
    {
        "building_id",
        "campaign_id",
        "campaign_scope_id",
        "event_id",
        "in_name",
        "name",
        "properties",
        "recurse_building_id",
        "recurse_site_id",
        "recurse_storey_id",
        "site_id",
        "space_id",
        "storey_id",
        "unit_symbol",
        "user_id",
        "zone_id",
    }
)


@dataclasses.dataclass(frozen=True, slots=True)
class ById:
    """Series picked by id."""

    ids: tuple[int, ...]

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of the result, in the asked order."""
        return tuple(dict.fromkeys(str(series) for series in self.ids))

    @property
    def path(self) -> str:
        """Where the data of such series are asked for."""
        return "timeseries_data/"


@dataclasses.dataclass(frozen=True, slots=True)
class ByName:
    """Series picked by their names in one campaign."""

    campaign_id: int
    names: tuple[str, ...]

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of the result, in the asked order."""
        return tuple(dict.fromkeys(self.names))

    @property
    def path(self) -> str:
        """Where the data of such series are asked for."""
        return f"timeseries_data/campaign/{self.campaign_id}/"


Selector = ById | ByName


def parts(start: float, end: float, width: float) -> Iterator[tuple[float, float]]:
    """The time from `start` to `end` in parts of `width` seconds, the last one shorter."""
    if width <= 0:
        raise ValueError("chunk_days must be more than zero")
    while start < end:
        yield start, min(start + width, end)
        start += width


def range_params(
    selector: Selector,
    start: float,
    end: float,
    data_state: int,
    convert_to: str | Sequence[str] | None,
) -> dict[str, str | int | Sequence[str | int]]:
    """Query arguments for the data of some series in [start, end), Unix seconds.

    `convert_to`: one unit for all, or one for each series ("" keeps the stored one).
    """
    if not selector.keys:
        raise ValueError("no timeseries is asked for")
    params: dict[str, str | int | Sequence[str | int]] = {
        "timeseries": selector.keys,
        "start_time": _iso(start),
        "end_time": _iso(end),
        "data_state": data_state,
    }
    if convert_to is not None:
        units = [convert_to] * len(selector.keys) if isinstance(convert_to, str) else convert_to
        if len(units) != len(selector.keys):
            raise ValueError("convert_to needs one unit, or one for each series")
        params["convert_to"] = units
    return params


def _iso(instant: float) -> str:
    return dt.datetime.fromtimestamp(instant, dt.UTC).isoformat().replace("+00:00", "Z")
