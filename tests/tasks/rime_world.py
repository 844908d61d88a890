"""A simulated RIME tenant beside the world's servers, and sources and feeds that read it."""

import contextlib
import json
from collections.abc import Iterator
from datetime import datetime

from sqlmodel import select
from starlette.applications import Starlette
from starlette.routing import Mount

from db.models import Feed, Goal, Source
from simulators.rime import Rime
from simulators.server import LocalServer
from tasks import connecting, days
from tasks.metrics.rime import PROVIDER
from tasks.providers import Answer, Connection, Link, Request
from tests.world import World

PROJECT, CONNECTOR, PIPELINE = "shop", "orders", "nightly"
KEY, EMAIL, PASSWORD = "canary-rime-key", "alice@example.org", "canary-rime-password"
MINUTE = 60.0


def at(text: str) -> float:
    """UTC seconds of `20 11:30`, a time in November 2026."""
    return datetime.strptime(f"2026-11-{text} +0000", "%Y-%m-%d %H:%M %z").timestamp()


def shop(clock) -> Rime:
    """A tenant with one project, one connector and one pipeline, and nothing that ran."""
    rime = Rime(clock=clock)
    rime.state.add_key(KEY)
    rime.state.add_person(EMAIL, PASSWORD)
    rime.state.add_project(PROJECT, "The shop")
    rime.state.add_connector(PROJECT, CONNECTOR, "Orders")
    rime.state.add_pipeline(PROJECT, PIPELINE, "Nightly")
    return rime


def mounted(rime: Rime) -> Starlette:
    """The tenant where a real one is: under its version path."""
    return Starlette(routes=[Mount("/api/v1", app=rime.app)])


def ran(rime: Rime, ended: float | None, *, lasted: float = MINUTE, owner=CONNECTOR, **more):
    """A run that ended then (UTC seconds) after so many seconds."""
    started = more.pop("started_at", None if ended is None else ended - lasted)
    return rime.state.add_run(owner, started_at=started, finished_at=ended, **more)


class Asker:
    """Asks one source of the tenant, as a worker would."""

    def __init__(self, connection: Connection, now: float) -> None:
        self.connection = connection
        self.now = now

    def __call__(self, *wanted: tuple[str, dict], zone="UTC", deadline=0, lookback=1) -> list:
        """The answer to each (metric, params): values by day, oldest first, or the error."""
        tz = days.zone(zone)
        last = days.parse(days.day_of(self.now, tz, deadline))
        windows = tuple(days.windows(last - lookback * days.ONE_DAY, last, tz, deadline))
        requests = [
            Request(
                key=key,
                metric=metric,
                params=PROVIDER.metrics[metric].params(**params),
                days=windows,
                now=self.now,
            )
            for key, (metric, params) in enumerate(wanted)
        ]
        answers = self.connection.read(requests)
        return [shown(answers[request.key]) for request in requests]


def shown(answer: Answer) -> object:
    """The values of an answer, oldest day first, or the error that it is."""
    if isinstance(answer, Exception):
        return answer
    return [answer[stamp].value for stamp in sorted(answer)]


@contextlib.contextmanager
def asking(rime: Rime, http, *, now: float, gate, tokens=None, **settings) -> Iterator[Asker]:
    """An asker by API key unless the settings say otherwise."""
    with LocalServer(mounted(rime)) as server:
        facts = {"url": f"{server.url}/api/v1", "project": PROJECT, "api_key": KEY} | settings
        link = Link(
            settings=PROVIDER.settings(**{k: v for k, v in facts.items() if v is not None}),
            http=http,
            gate=gate,
            tokens=tokens or (lambda _authenticate: None),
            now=lambda: now,
        )
        yield Asker(PROVIDER.connect(link), now)


class RimeWorld:
    """The world with a source `shop` at a simulated tenant, and feeds of it on alice's goals."""

    def __init__(self, world: World, url: str, rime: Rime) -> None:
        self.world = world
        self.url = url
        self.rime = rime

    def source(self, name: str = "shop", *, secrets: dict[str, str] | None = None, **more) -> int:
        """Another source of alice's; by API key unless secrets are given."""
        with self.world.ledger.write() as session:
            source = Source(
                user_id=self.world.user_id,
                name=name,
                provider="rime",
                settings={"url": f"{self.url}/api/v1", "project": PROJECT, **more},
                credentials_cipher=self.world.vault.encrypt(
                    json.dumps(secrets or {"api_key": KEY})
                ),
            )
            session.add(source)
            session.flush()
            return source.id or 0

    def feed(self, slug: str, source: int, metric: str, **params) -> int:
        """A goal of alice's with one feed of this metric, due at once."""
        self.world.beeminder.state.add_goal("alice", slug, kyoom=True, aggday="sum")
        with self.world.ledger.write() as session:
            goal = Goal(user_id=self.world.user_id, slug=slug, declared_slug=slug)
            session.add(goal)
            session.flush()
            feed = Feed(
                goal_id=goal.id or 0,
                source_id=source,
                label="",
                metric=metric,
                params=params or {"connector": CONNECTOR},
                due_at=self.world.clock.at,
                created_at=self.world.clock.at,
            )
            session.add(feed)
            session.flush()
            return feed.id or 0

    def row(self, source: int) -> Source:
        """A source as it stands now."""
        with self.world.reading() as session:
            return session.exec(select(Source).where(Source.id == source)).one()

    def connection(self, source: int) -> Connection:
        """What a worker reads it with."""
        return connecting.connect(self.world.runtime(), self.row(source))


@contextlib.contextmanager
def beside(world: World) -> Iterator[RimeWorld]:
    """The tenant on a socket; the world's clock is its own."""
    rime = shop(world.clock.now)
    with LocalServer(mounted(rime)) as server:
        yield RimeWorld(world, server.url, rime)
