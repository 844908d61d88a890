"""Values of the BEMServer API and the reading of its data bodies.

Instants are Unix seconds, values floats; Infinity and NaN can be stored there and are kept.
"""

import base64
import csv
import dataclasses
import datetime as dt
import io
import json
import math
from collections.abc import Sequence
from typing import Literal

import pydantic

from clients.answers import Answer

Aggregation = Literal["sum", "avg", "min", "max", "count"]
BucketUnit = Literal["second", "minute", "hour", "day", "week", "month", "year"]
Accept = Literal["json", "csv"]
Series = dict[str, list[tuple[float, float | None]]]

MEDIA_TYPES: dict[Accept, str] = {"json": "application/json", "csv": "text/csv"}


@dataclasses.dataclass(frozen=True, slots=True)
class TokenPair:
    """What a login gives; the ends of life are read from the tokens, None where they name none."""

    access: str = dataclasses.field(repr=False)
    refresh: str = dataclasses.field(repr=False)
    access_expires_at: float | None = None
    refresh_expires_at: float | None = None

    @classmethod
    def of(cls, access: str, refresh: str) -> "TokenPair":
        """The pair with the ends of life its tokens claim."""
        return cls(access, refresh, _expiry(access), _expiry(refresh))


@dataclasses.dataclass(frozen=True, slots=True)
class Timeseries:
    """A series of measurements. `unit_symbol` is "" for a plain number."""

    id: int
    name: str
    unit_symbol: str = ""
    description: str | None = None
    campaign_id: int | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Campaign:
    """A measurement campaign; series names are unique within one."""

    id: int
    name: str


@dataclasses.dataclass(frozen=True, slots=True)
class DataState:
    """A processing state of data, like Raw or Clean."""

    id: int
    name: str


@dataclasses.dataclass(frozen=True, slots=True)
class Pagination:
    """The X-Pagination header of a list."""

    total: int
    total_pages: int


TIMESERIES = pydantic.TypeAdapter(Timeseries)
TIMESERIES_LIST = pydantic.TypeAdapter(list[Timeseries])
CAMPAIGNS = pydantic.TypeAdapter(list[Campaign])
DATA_STATES = pydantic.TypeAdapter(list[DataState])
_PAGINATION = pydantic.TypeAdapter(Pagination)
VERSIONS = pydantic.TypeAdapter(dict[str, dict[str, str]])


def pagination_of(answer: Answer, header: object) -> Pagination | None:
    """The X-Pagination header, None when there is none. Raises UnexpectedResponse."""
    if header is None:
        return None
    try:
        return _PAGINATION.validate_json(str(header))
    except pydantic.ValidationError:
        pass
    raise answer.unexpected("the X-Pagination header does not name total and total_pages")


def series_of(answer: Answer, keys: Sequence[str], *, accept: Accept) -> Series:
    """The data of a body, each asked key present, by time. Raises UnexpectedResponse."""
    found = _from_csv(answer) if accept == "csv" else _from_json(answer)
    # A series we did not ask for means that the values may not be what we think they are.
    if strangers := found.keys() - set(keys):
        raise answer.unexpected(f"series {min(strangers)} was not asked for")
    return {key: sorted(found.get(key, ()), key=lambda sample: sample[0]) for key in keys}


def _from_json(answer: Answer) -> Series:
    body = answer.json()
    if not isinstance(body, dict):
        raise answer.unexpected(f"an object was due, found {type(body).__name__}")
    series: Series = {}
    for key, samples in body.items():
        if not isinstance(samples, dict):
            raise answer.unexpected(f"series {key}: an object was due")
        series[key] = [
            (_epoch(answer, stamp), _number(answer, key, value)) for stamp, value in samples.items()
        ]
    return series


def _from_csv(answer: Answer) -> Series:
    try:
        rows = list(csv.reader(io.StringIO(answer.body.decode(), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error):
        rows = []
    if not rows or not rows[0] or rows[0][0] != "Datetime":
        raise answer.unexpected("the first CSV column is not Datetime")
    header, *lines = rows
    series: Series = {key: [] for key in header[1:]}
    for line in lines:
        if len(line) != len(header):
            raise answer.unexpected(f"a CSV row has {len(line)} cells, its header {len(header)}")
        at = _epoch(answer, line[0])
        for key, cell in zip(header[1:], line[1:], strict=True):
            series[key].append((at, _cell(answer, key, cell)))
    return series


def _number(answer: Answer, key: str, value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise answer.unexpected(f"series {key}: a number was due, found {type(value).__name__}")
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _cell(answer: Answer, key: str, cell: str) -> float | None:
    if not cell:
        return None
    try:
        return float(cell)
    except ValueError:
        pass
    raise answer.unexpected(f"series {key}: a number was due, found text")


def _epoch(answer: Answer, stamp: str) -> float:
    # Offsets come with a colon in JSON and without one in CSV; fromisoformat reads both.
    try:
        at = dt.datetime.fromisoformat(stamp)
        if at.tzinfo is not None:
            return at.timestamp()
    except (ValueError, OverflowError):
        pass
    raise answer.unexpected(f"{stamp[:40]!r} is no instant with an offset")


def _expiry(token: str) -> float | None:
    """The `exp` claim of a JWT, not verified: only the server has the key."""
    try:
        claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
        expiry = claims["exp"]
    except (ValueError, IndexError, KeyError, TypeError, RecursionError):
        return None
    if isinstance(expiry, bool) or not isinstance(expiry, int | float):
        return None
    return float(expiry) if abs(expiry) < 1e12 else None  # noqa: PLR2004  # the year 33658
