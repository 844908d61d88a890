"""A small provider that keeps every promise, to be broken in one place at a time."""

import dataclasses
import re
from collections.abc import Sequence
from typing import ClassVar

import pydantic
from pydantic import Field, SecretStr

from clients.http import ApiClient, Route
from clients.redaction import Credentials
from tasks.providers import (
    Found,
    Link,
    Metric,
    MetricParams,
    Provider,
    Reading,
    SourceSettings,
    ValueKind,
    one_by_one,
)
from tasks.trial import Feed, Trial
from worker.kit.promises import Outcome, Promise, tried
from worker.kit.stage import Stage
from worker.kit.vendor import Vendor

KEY = "a-key-of-the-sample"


class Settings(SourceSettings):
    """One key at one server."""

    url: str = Field(description="base URL")
    key: SecretStr = Field(description="key of the account")

    def account(self) -> str:
        """The server."""
        return self.url


class Params(MetricParams):
    """Which thing."""

    thing: str = Field(description="name of the thing")

    def value_kind(self) -> ValueKind:
        """What happened."""
        return "total"


class _Day(pydantic.BaseModel):
    day: str
    value: float


class _Thing(pydantic.BaseModel):
    days: list[_Day]


class _Names(pydantic.BaseModel):
    names: list[str]


THING, NAMES = pydantic.TypeAdapter(_Thing), pydantic.TypeAdapter(_Names)


class Client(ApiClient):
    """Things and their names."""

    vendor = "the sample"
    allowed: ClassVar[Sequence[Route]] = (
        ("GET", re.compile("things/[a-z]+")),
        ("POST", re.compile("things/[a-z]+")),
        ("GET", re.compile("names")),
    )

    def ask(self, path, key, method="GET", **more):
        """One answer."""
        return self._request(
            method, path, credentials=Credentials(headers={"X-Sample-Key": key}), **more
        )


class Reader:
    """Keeps every promise; a test overrides one method."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.key = link.settings.key.get_secret_value()
        self.client = self.make_client()

    def make_client(self):
        """With the gate of the link."""
        link = self.link
        return Client(http=link.http, base_url=link.settings.url, gate=link.gate, clock=link.now)

    def read(self, requests):
        """Each by itself."""
        return one_by_one(requests, self.readings)

    def readings(self, request):
        """All days are in one answer."""
        values = self.values(self.ask(f"things/{request.params.thing}"))
        return {day.daystamp: Reading(values.get(day.daystamp)) for day in request.days}

    def ask(self, path):
        """One request."""
        return self.client.ask(path, self.key)

    def values(self, answer):
        """Values by daystamp."""
        return {item.day: item.value for item in answer.parsed(THING).days}

    def look(self):
        """The names of all things."""
        names = self.ask("names")
        return [Found("thing", name) for name in names.parsed(NAMES).names]


PROVIDER = Provider(
    name="sample",
    title="Sample",
    settings=Settings,
    metrics={"thing": Metric(name="thing", description="a thing", params=Params, kind="total")},
    connect=Reader,
)
TRIAL = Trial(
    settings=lambda url: {"url": url, "key": KEY},
    answers={
        "/things/a": {
            "days": [
                {"day": "20261118", "value": 1.0},
                {"day": "20261119", "value": 0.0},
                {"day": "20261120", "value": 3.0},
            ]
        },
        "/things/b": {"days": [{"day": "20261119", "value": 5.0}]},
        "/names": {"names": ["a", "b"]},
    },
    feeds=[
        Feed(
            metric="thing",
            params={"thing": "a"},
            expected={"20261118": 1.0, "20261119": 0.0, "20261120": 3.0},
        ),
        Feed(
            metric="thing",
            params={"thing": "b"},
            expected={"20261118": None, "20261119": 5.0, "20261120": None},
        ),
    ],
    absent=Feed(metric="thing", params={"thing": "nothing"}),
)


def played(
    promise: Promise, provider: Provider = PROVIDER, trial: Trial = TRIAL, patience: float = 10.0
) -> Outcome:
    """How one promise fares."""
    with Vendor(trial) as vendor:
        return tried(promise, Stage(provider, trial, vendor, patience=patience))


def with_reader(reader: type) -> Provider:
    """The sample with another connection."""
    return dataclasses.replace(PROVIDER, connect=reader)
