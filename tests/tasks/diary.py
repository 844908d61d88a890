"""A small provider: a diary on a local server, one JSON document with records and a meter."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import httpx
from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse
from starlette.routing import Route

from clients.errors import Unavailable
from db.models import Source
from simulators.server import LocalServer
from tasks import providers
from tasks.providers import (
    Answer,
    Link,
    Metric,
    MetricParams,
    Provider,
    Reading,
    Record,
    Request,
    SourceSettings,
    ValueKind,
)
from tasks.runtime import Runtime
from tests.tasks.scenes import change_feed
from tests.world import World


class Settings(SourceSettings):
    """Where the diary is."""

    url: str

    def account(self) -> str:
        """The same diary at every address."""
        return "diary"


class Events(MetricParams):
    """Every entry is an event."""

    def value_kind(self) -> ValueKind:
        """Single events."""
        return "events"


class Meter(MetricParams):
    """What the meter shows now; the past can't be asked."""

    def value_kind(self) -> ValueKind:
        """A counter."""
        return "counter"


@dataclass(slots=True)
class Reader:
    """Asks for the document anew each time."""

    url: str
    http: httpx.Client

    def read(self, requests: Sequence[Request]) -> dict[int, Answer]:
        """Records by day, or the meter of today."""
        answer = self.http.get(self.url)
        if answer.status_code != httpx.codes.OK:
            raise Unavailable("the diary is shut", status=answer.status_code)
        document = answer.json()
        return {request.key: _of(request, document) for request in requests}


def _of(request: Request, document: dict) -> dict[str, Reading]:
    if request.metric == "meter":
        return {request.days[-1].daystamp: Reading(document["meter"], "kWh")}
    readings = {}
    for day in request.days:
        records = tuple(
            Record(str(entry["id"]), entry["at"], entry["value"])
            for entry in document["records"]
            if day.starts_at <= entry["at"] < day.ends_at
        )
        readings[day.daystamp] = Reading(sum(r.value for r in records), "pages", records=records)
    return readings


def _connect(link: Link) -> Reader:
    settings = link.settings
    assert isinstance(settings, Settings)
    return Reader(settings.url, link.http)


PROVIDER = Provider(
    name="diary",
    title="Diary",
    settings=Settings,
    metrics={
        "events": Metric(name="events", description="", params=Events, kind="events"),
        "meter": Metric(name="meter", description="", params=Meter, kind="counter", history=False),
    },
    connect=_connect,
)


@dataclass(slots=True)
class Diary:
    """What it says now: `records` of (id, UTC seconds, value), and the meter."""

    records: list[tuple[str, float, float]] = field(default_factory=list)
    meter: float = 0.0

    def _shown(self, _request: HttpRequest) -> JSONResponse:
        entries = [{"id": one, "at": at, "value": value} for one, at, value in self.records]
        return JSONResponse({"records": entries, "meter": self.meter})

    @contextlib.contextmanager
    def feeding(self, world: World, metric: str) -> Iterator[Runtime]:
        """The world's feed takes this metric of it; a worker that knows the provider."""
        with LocalServer(Starlette(routes=[Route("/", self._shown)])) as server:
            source = Source(
                user_id=world.user_id,
                name="diary",
                provider="diary",
                settings={"url": server.url},
                credentials_cipher=world.vault.encrypt("{}"),
            )
            with world.ledger.write() as session:
                session.add(source)
                session.flush()
                source_id = source.id
            change_feed(world, source_id=source_id, metric=metric, params={})
            yield world.runtime(providers=providers.table() | {"diary": PROVIDER})
