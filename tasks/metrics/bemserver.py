"""What can be counted at a BEMServer: the aggregate of a time series over a Beeminder day.

The server's own buckets are calendar days, and its multi-unit buckets are wrong in several cases;
Beeminder days end when the goal says. So the server is asked for hours of width one where the day
starts and ends on a full hour, and for the raw samples where it does not, and the day is put
together here. Feeds that ask for the same state and span share one request.
"""

import itertools
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, Self, TypeVar

from pydantic import Field, SecretStr, model_validator

import clients
from clients import bemserver_auth
from clients.errors import ClientError, NotFound, Permanent
from tasks.days import Window
from tasks.providers import (
    Answer,
    Grant,
    Link,
    Metric,
    MetricParams,
    Provider,
    Reading,
    Request,
    SourceSettings,
    ValueKind,
)

HOUR = 3600
KNOWN_FOR_SECONDS = 3600.0  # how long names, units and states are believed
SERIES_PER_REQUEST = 50  # keeps the URL short

Aggregation = Literal["sum", "avg", "min", "max", "count", "last"]
Samples = list[tuple[float, float]]
T = TypeVar("T")


class Settings(SourceSettings):
    """How to reach a BEMServer."""

    url: str = Field(description="base URL with the version path", examples=["https://…/api/v0"])
    email: str = Field(description="login")
    password: SecretStr = Field(description="password of that login")

    def account(self) -> str:
        """The server and the login."""
        return f"{self.url.rstrip('/')}|{self.email.lower()}"

    def open_url(self) -> str:
        """The server."""
        return self.url


class Params(MetricParams):
    """Which series, and how a day of it becomes one number."""

    timeseries: int | str = Field(description="id of the series, or its name (then with campaign)")
    campaign: int | str | None = Field(None, description="id or name of the campaign of that name")
    aggregation: Aggregation = Field("sum", description="how the samples of a day become a value")
    data_state: str = Field("Clean", description="name of the data state, such as Raw or Clean")
    convert_to: str | None = Field(None, description="unit to convert to, as the server names it")

    def value_kind(self) -> ValueKind:
        """Sums and counts are totals of the day, the others are levels."""
        return "total" if self.aggregation in ("sum", "count") else "level"

    @model_validator(mode="after")
    def _name_needs_campaign(self) -> Self:
        if isinstance(self.timeseries, str) and self.campaign is None:
            message = "a series given by name needs `campaign` (its id or name) beside it"
            raise ValueError(message)
        if isinstance(self.timeseries, int) and self.campaign is not None:
            message = "give `timeseries` as an id, or as a name with `campaign`, not both"
            raise ValueError(message)
        return self


@dataclass(frozen=True, slots=True)
class _Question:
    """One request's series, resolved."""

    request: Request
    params: Params
    series: clients.Timeseries
    state: int
    hourly: bool

    @property
    def span(self) -> tuple[float, float]:
        days = self.request.days
        return days[0].starts_at, days[-1].ends_at


@dataclass(slots=True)
class _Known:
    """A fact of the server that is believed for a while."""

    value: object
    until: float


@dataclass(slots=True)
class Reader:
    """Reads many feeds of one BEMServer with few requests."""

    client: clients.BemserverClient
    monotonic: Callable[[], float] = time.monotonic
    _known: dict[tuple[object, ...], _Known] = field(default_factory=dict)

    def read(self, requests: Sequence[Request]) -> dict[int, Answer]:
        """Readings per feed and day; see `tasks.providers.Connection`."""
        answers: dict[int, Answer] = {}
        questions: list[_Question] = []
        for request in requests:
            try:
                questions.append(self._resolve(request))
            except Permanent as error:
                answers[request.key] = error
        questions.sort(key=_group)
        for _, alike in itertools.groupby(questions, key=_group):
            group = list(alike)
            for start in range(0, len(group), SERIES_PER_REQUEST):
                answers |= self._ask(group[start : start + SERIES_PER_REQUEST])
        return answers

    def _ask(self, questions: list[_Question]) -> dict[int, Answer]:
        """One request for all of them; if it is refused, one each, to find who is to blame."""
        try:
            return self._fetch(questions)
        except Permanent as error:
            refused: ClientError = error
        if len(questions) == 1:
            return {questions[0].request.key: refused}
        middle = len(questions) // 2
        return self._ask(questions[:middle]) | self._ask(questions[middle:])

    def _fetch(self, questions: list[_Question]) -> dict[int, Answer]:
        first = questions[0]
        selector = clients.ById(tuple(dict.fromkeys(q.series.id for q in questions)))
        units = {q.series.id: q.params.convert_to or "" for q in questions}
        convert = [units[series] for series in selector.ids] if any(units.values()) else None
        starts_at, ends_at = first.span
        if not first.hourly:
            raw = self.client.data(
                selector,
                start=starts_at,
                end=ends_at,
                data_state=first.state,
                convert_to=convert,
            )
            return {q.request.key: _by_day(q, raw[str(q.series.id)]) for q in questions}
        names: Iterable[Literal["sum", "count", "min", "max"]] = (
            ("sum", "count")
            if first.params.aggregation == "avg"
            else (_server_side(first.params.aggregation),)
        )
        buckets = {
            name: self.client.aggregate(
                selector,
                start=starts_at,
                end=ends_at,
                data_state=first.state,
                aggregation=name,
                unit="hour",
                convert_to=None if name == "count" else convert,
            )
            for name in names
        }
        return {
            q.request.key: _by_day_hourly(
                q, {name: found[str(q.series.id)] for name, found in buckets.items()}
            )
            for q in questions
        }

    def _resolve(self, request: Request) -> _Question:
        params = request.params
        if not isinstance(params, Params):
            message = f"{type(params).__name__} are not parameters of this metric"
            raise TypeError(message)
        states = self._once(("states",), self.client.data_states)
        if params.data_state not in states:
            known = ", ".join(sorted(states))
            message = f"the server has no data state {params.data_state!r}; it has: {known}"
            raise NotFound(message, reason="unknown_data_state")
        aligned = all(day.starts_at % HOUR == 0 == day.ends_at % HOUR for day in request.days)
        return _Question(
            request,
            params,
            self._series(params),
            states[params.data_state],
            hourly=aligned and params.aggregation != "last",
        )

    def _series(self, params: Params) -> clients.Timeseries:
        wanted = params.timeseries
        if isinstance(wanted, int):
            return self._once(("id", wanted), lambda: self.client.timeseries_by_id(wanted))
        campaign = self._campaign(params.campaign)
        return self._once(
            ("name", campaign, wanted), lambda: self.client.timeseries_named(wanted, campaign)
        )

    def _campaign(self, wanted: int | str | None) -> int:
        if isinstance(wanted, int):
            return wanted
        campaigns = self._once(("campaigns",), self.client.campaigns)
        for campaign in campaigns:
            if campaign.name == wanted:
                return campaign.id
        names = ", ".join(sorted(campaign.name for campaign in campaigns)) or "none"
        message = f"no campaign {wanted!r} is visible to this login; visible: {names}"
        raise NotFound(message, reason="unknown_campaign")

    def _once(self, key: tuple[object, ...], ask: Callable[[], T]) -> T:
        known = self._known.get(key)
        if known is None or known.until < self.monotonic():
            known = _Known(ask(), self.monotonic() + KNOWN_FOR_SECONDS)
            self._known[key] = known
        return known.value  # type: ignore[return-value] # what `ask` of this key gave


def _group(question: _Question) -> tuple[object, ...]:
    how = question.params.aggregation if question.hourly else "raw"
    # One series asked in two units needs two requests: the server takes a unit per series.
    unit = question.params.convert_to or ""
    return question.state, how, question.span, unit


def _server_side(aggregation: Aggregation) -> Literal["sum", "count", "min", "max"]:
    if aggregation in ("last", "avg"):
        message = f"{aggregation} is put together here, not at the server"
        raise ValueError(message)
    return aggregation  # type: ignore[return-value] # narrowed above


def _by_day(question: _Question, samples: Samples) -> dict[str, Reading]:
    """Raw samples, put together per day."""
    readings = {}
    for day in question.request.days:
        values = [value for at, value in samples if _counts(at, day, question.request.now)]
        readings[day.daystamp] = _reading(question, _combine(question.params.aggregation, values))
    return readings


def _by_day_hourly(
    question: _Question, buckets: dict[str, list[tuple[float, float | None]]]
) -> dict[str, Reading]:
    """Hours of width one, put together per day. An hour without samples is null, or 0 counted."""
    aggregation = question.params.aggregation
    readings = {}
    for day in question.request.days:
        found = {
            name: [
                value
                for at, value in hours
                if value is not None and _counts(at, day, question.request.now)
            ]
            for name, hours in buckets.items()
        }
        if aggregation == "avg":
            count = math.fsum(found["count"])
            value = math.fsum(found["sum"]) / count if count else None
        elif aggregation == "count":
            value = math.fsum(found["count"]) or None
        else:
            value = _combine(aggregation, found[aggregation])
        readings[day.daystamp] = _reading(question, value)
    return readings


def _counts(at: float, day: Window, now: float) -> bool:
    """Samples of the future (forecasts) are not what happened."""
    return day.starts_at <= at < day.ends_at and at <= now


def _combine(aggregation: Aggregation, values: list[float]) -> float | None:
    if not values:
        return None
    if aggregation == "sum":
        return math.fsum(values)
    if aggregation == "avg":
        return math.fsum(values) / len(values)
    if aggregation == "count":
        return float(len(values))
    if aggregation == "last":
        return values[-1]
    return min(values) if aggregation == "min" else max(values)


def _reading(question: _Question, value: float | None) -> Reading:
    unit = question.params.convert_to or question.series.unit_symbol
    if question.params.aggregation == "count":
        unit = "samples"
    if value is None:
        return Reading(None, unit, "no samples on this day")
    if not math.isfinite(value):
        return Reading(None, unit, "the server holds a value that is not a finite number")
    return Reading(value, unit)


def connect(link: Link) -> Reader:
    """A reader for one source; it logs in when it is first used."""
    settings = link.settings
    if not isinstance(settings, Settings):
        message = f"{type(settings).__name__} are not settings of a BEMServer"
        raise TypeError(message)

    def authenticate(refresh: str | None) -> Grant:
        if refresh is None:
            pair = bemserver_auth.login(
                http=link.http,
                base_url=settings.url,
                email=settings.email,
                password=settings.password.get_secret_value(),
            )
        else:
            pair = bemserver_auth.refresh(
                http=link.http, base_url=settings.url, refresh_token=refresh
            )
        return Grant(pair.access, pair.refresh, pair.access_expires_at)

    return Reader(
        clients.BemserverClient(
            http=link.http,
            base_url=settings.url,
            tokens=link.tokens(authenticate),
            etags=clients.MemoryEtagCache(),
        )
    )


PROVIDER = Provider(
    name="bemserver",
    title="BEMServer",
    settings=Settings,
    metrics={
        "timeseries_aggregate": Metric(
            name="timeseries_aggregate",
            description="a day of a time series as one number: its sum, average, extreme or last",
            params=Params,
            kind="total (sum, count) or level (avg, min, max, last)",
        )
    },
    connect=connect,
)
