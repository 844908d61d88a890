"""A source of Waggle: numbers out of any JSON that a server answers to a GET.

A package like this is all that a source needs: an entry point in the group `waggle.providers`
(see pyproject.toml) names `PROVIDER` below.
"""

import datetime as dt
import math
import re
import urllib.parse
from collections.abc import Sequence
from typing import ClassVar, Self, cast

from pydantic import Field, SecretStr, field_validator, model_validator

from clients import json_pointer
from clients.answers import Answer as HttpAnswer
from clients.http import ApiClient, Route
from clients.redaction import Credentials
from tasks.days import Window
from tasks.providers import (
    EACH,
    Answer,
    Link,
    Metric,
    MetricParams,
    Provider,
    Reading,
    Request,
    SourceSettings,
    ValueKind,
    one_by_one,
)

# Below the base URL, without a way out of it: no "//", no "..", no "https:".
PATH = re.compile(r"(?!/)(?!.*//)(?!(?:.*/)?\.\.(?:/|$))[\w.~%!$&'()*+,;=@/{}-]+", re.ASCII)


class Settings(SourceSettings):
    """Where the JSON is, and what proves who asks."""

    url: str = Field(description="base URL", examples=["https://api.example.org/v1"])
    token: SecretStr | None = Field(None, description="sent with each request, if given")
    header: str | None = Field(
        None,
        description="header that carries the token as it is; without it: Authorization: Bearer",
        pattern=r"^[A-Za-z0-9-]+$",
    )

    @model_validator(mode="after")
    def _header_needs_token(self) -> Self:
        if self.header is not None and self.token is None:
            raise ValueError("`header` needs the `token` that it carries beside it")
        return self

    def account(self) -> str:
        """The address; never the token, which may be replaced."""
        return self.url.rstrip("/")

    def open_url(self) -> str:
        """The server."""
        return self.url


class Params(MetricParams):
    """Which number of which answer."""

    cosmetic: ClassVar[frozenset[str]] = frozenset({"unit"})

    path: str = Field(description="path below the url, and its query")
    pointer: str = Field(description="JSON pointer (RFC 6901) to the number: /data/0/total")
    unit: str | None = Field(None, description="unit, for people")

    @field_validator("path")
    @classmethod
    def _below_the_url(cls, path: str) -> str:
        if not PATH.fullmatch(path.partition("?")[0]):
            raise ValueError("write the path below the url, without a slash before it: stats/today")
        return path

    @field_validator("pointer")
    @classmethod
    def _is_a_pointer(cls, pointer: str) -> str:
        json_pointer.parse(pointer)  # ValueError with a sentence
        return pointer

    def value_kind(self) -> ValueKind:
        """What is there now."""
        return "level"


class DayParams(Params):
    """The same with a place for the day in the path."""

    path: str = Field(description="with {day} (2026-11-20), or {start} and {end} (in UTC)")

    @model_validator(mode="after")
    def _names_the_day(self) -> Self:
        if "{day}" not in self.path and not ("{start}" in self.path and "{end}" in self.path):
            raise ValueError("the path needs {day}, or {start} and {end}: days would be all alike")
        return self

    def value_kind(self) -> ValueKind:
        """What happened on the day."""
        return "total"


class Client(ApiClient):
    """Asks; errors, deadlines, limits and redirects are the base's affair."""

    vendor = "the JSON server"
    allowed: ClassVar[Sequence[Route]] = (("GET", PATH),)

    def __init__(self, link: Link, settings: Settings) -> None:
        super().__init__(http=link.http, base_url=settings.url, gate=link.gate, clock=link.now)
        self._settings = settings

    def _credentials(self, method: str) -> Credentials:  # noqa: ARG002 -- the base's signature
        token, header = self._settings.token, self._settings.header
        if token is None:
            return Credentials()
        secret = token.get_secret_value()
        if header is None:
            return Credentials(headers={"Authorization": f"Bearer {secret}"})
        return Credentials(headers={header: secret})

    def number(self, path: str, pointer: str) -> float:
        """The number at this place of the answer. Raises `clients.errors`."""
        path, _, query = path.partition("?")
        params = urllib.parse.parse_qs(query, keep_blank_values=True)
        answer = self._request("GET", path, params=params)
        try:
            found = json_pointer.resolve(answer.json(), json_pointer.parse(pointer))
        except LookupError as error:
            problem = str(error)
        else:
            return _number(answer, pointer, found)
        raise answer.unexpected(problem)


def _number(answer: HttpAnswer, pointer: str, found: object) -> float:
    if isinstance(found, int | float | str) and not isinstance(found, bool):
        try:
            value = float(found)
        except (ValueError, OverflowError):
            value = math.nan
        if math.isfinite(value):
            return value
    raise answer.unexpected(f"at {pointer or 'the top'} stands no number: {type(found).__name__}")


class Reader:
    """See `tasks.providers.Connection`."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def read(self, requests: Sequence[Request]) -> dict[int, Answer]:
        """Each feed by itself: one that fails never fails its neighbours."""
        return one_by_one(requests, self._readings)

    def _readings(self, request: Request) -> dict[str, Reading]:
        params = cast("Params", request.params)
        readings = {}
        for day in request.days:
            if isinstance(params, DayParams) or day.starts_at <= request.now < day.ends_at:
                value = self._client.number(_on(day, params.path), params.pointer)
                readings[day.daystamp] = Reading(value, params.unit)
            else:
                readings[day.daystamp] = Reading(None, params.unit, "only known of today")
        return readings


def _on(day: Window, path: str) -> str:
    date = f"{day.daystamp[:4]}-{day.daystamp[4:6]}-{day.daystamp[6:]}"
    start, end = (dt.datetime.fromtimestamp(at, dt.UTC) for at in (day.starts_at, day.ends_at))
    instant = "%Y-%m-%dT%H:%M:%SZ"
    path = path.replace("{day}", date)
    return path.replace("{start}", f"{start:{instant}}").replace("{end}", f"{end:{instant}}")


def connect(link: Link) -> Reader:
    """A reader for one source."""
    return Reader(Client(link, cast("Settings", link.settings)))


PROVIDER = Provider(
    name="json",
    title="Any JSON over HTTP",
    settings=Settings,
    metrics={
        "number": Metric(
            name="number",
            description="a number that stands in an answer now",
            params=Params,
            kind="level",
            history=False,
        ),
        "number_of_day": Metric(
            name="number_of_day",
            description="a number in the answer about a day",
            params=DayParams,
            kind="total",
        ),
    },
    connect=connect,
    together=EACH,
)
