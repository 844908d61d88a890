"""A provider some of whose feeds kill the process that reads them, and processes that die of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from clients.errors import ClientError
from db import workers
from db.models import Feed, Source, Worker
from db.states import FeedState, Lane
from tasks import deaths as burials
from tasks import providers, suspects, sync
from tasks.providers import (
    Answer,
    Link,
    Metric,
    MetricParams,
    Provider,
    Reading,
    Request,
    SourceSettings,
    ValueKind,
)
from tasks.runtime import Runtime
from tests.tasks.scenes import LEASE_OVER, all_rows, change_feed
from tests.world import CrashError, World


class Settings(SourceSettings):
    """Nothing is needed."""

    def account(self) -> str:
        """The same for all."""
        return "shelf"


class Params(MetricParams):
    """Which bottle."""

    bottle: int

    def value_kind(self) -> ValueKind:
        """How much was drunk on a day."""
        return "total"


@dataclass(slots=True)
class Shelf:
    """Ten bottles that give 1 a day each, apart from what is said of some.

    `read` lists which bottles were read together. With `fails_between` those that kill do so at
    every second try, and are answered with this at the others.
    """

    world: World
    kills: set[int] = field(default_factory=set)
    breaks: set[int] = field(default_factory=set)
    fails_between: ClientError | None = None
    lately: Callable[[], None] = lambda: None
    read: list[list[int]] = field(default_factory=list)
    feeds: dict[int, int] = field(default_factory=dict)

    def runtime(self, **more: Any) -> Runtime:
        """A process that knows the provider."""
        provider = Provider(
            name="shelf",
            title="Shelf",
            settings=Settings,
            metrics={"drunk": Metric(name="drunk", description="", params=Params, kind="total")},
            connect=lambda _link: Reader(self, _link),
        )
        return self.world.runtime(providers=providers.table() | {"shelf": provider}, **more)

    def fill(self, count: int = 10) -> None:
        """So many more feeds, of one more source, due; the world's own feed is paused."""
        change_feed(self.world, state=FeedState.PAUSED, reason="paused by a person")
        with self.world.ledger.write() as session:
            source = Source(
                user_id=self.world.user_id,
                name=f"shelf{len(self.feeds)}",
                provider="shelf",
                credentials_cipher=self.world.vault.encrypt("{}"),
            )
            session.add(source)
            session.flush()
            source_id = source.id
        for number in range(len(self.feeds), len(self.feeds) + count):
            slug = f"bottle{number}"
            self.world.beeminder.state.add_goal("alice", slug, kyoom=True, aggday="sum")
            self.feeds[number] = self.world.link(slug, source=source_id)
            change_feed(self.world, self.feeds[number], metric="drunk", params={"bottle": number})

    def landed(self) -> set[int]:
        """Whose values are at Beeminder."""
        return {number for number in self.feeds if self.world.points(f"bottle{number}")}

    def of(self, column: str) -> dict[int, Any]:
        """A column of each feed."""
        return {n: getattr(self.world.feed(one), column) for n, one in self.feeds.items()}

    def live_and_die(self, deaths: int = 20) -> int:
        """Processes one after the other until all work is done; returns how many died.

        Fails when more than `deaths` did.
        """
        died = 0
        while run(self.runtime()):
            died += 1
            assert died <= deaths, "they die for ever"
            self.world.clock.advance(LEASE_OVER)
            burials.bury(self.runtime())
            rows = all_rows(self.world, Feed)
            self.world.clock.at = max(self.world.clock.at, *(row.lease_until for row in rows))
        return died


@dataclass(slots=True)
class Reader:
    """Reads bottles."""

    shelf: Shelf
    link: Link

    def read(self, requests: Sequence[Request]) -> dict[int, Answer]:
        """1.0 for each day, if the process lives on."""
        asked = {_bottle(request): request for request in requests}
        self.shelf.read.append(sorted(asked))
        killers = self.shelf.kills & set(asked)
        killed_last = sum(bool(self.shelf.kills & set(read)) for read in self.shelf.read) % 2 == 0
        if killers and not (self.shelf.fails_between and killed_last):
            self.shelf.lately()
            raise CrashError
        if killers and self.shelf.fails_between:
            return {request.key: self.shelf.fails_between for request in requests}
        if self.shelf.breaks & set(asked):
            message = "a bug of the provider"
            raise ZeroDivisionError(message)
        return {
            request.key: {day.daystamp: Reading(1.0) for day in request.days}
            for request in requests
        }


def _bottle(request: Request) -> int:
    assert isinstance(request.params, Params)
    return request.params.bottle


def run(rt: Runtime) -> bool:
    """Work until nothing is due; True when the process died of it."""
    try:
        while sync.run(rt, Lane.BULK) or suspects.run(rt):
            pass
    except CrashError:
        return True
    return False


def heard_of(rt: Runtime) -> None:
    """The process renews what it holds and says that it lives, as its heartbeat does."""
    now = rt.heartbeat()
    with rt.ledger.write() as session:
        if session.get(Worker, rt.owner) is None:
            workers.register(
                session,
                Worker(name=rt.owner, queues="", slots=4, started_at=now, seen_at=now),
            )
        workers.beat(session, name=rt.owner, busy=0, now=now)


def live(world: World, rt: Runtime, seconds: float) -> None:
    """Time goes by, and the heart of this process beats."""
    for _ in range(int(seconds // 3) + 1):
        world.clock.advance(3.0)
        heard_of(rt)
