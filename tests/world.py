"""A small world to break promises in: real servers, a real ledger, and a clock that obeys."""

import contextlib
import itertools
import random
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import httpx
from cryptography.fernet import Fernet
from sqlmodel import Session, select

from db import inbox, people
from db.engine import Ledger
from db.models import Event, Feed, Goal, Source, User
from db.states import EventKind, Lane
from db.vault import Vault
from simulators.beeminder import Beeminder
from simulators.beeminder_state import Datapoint
from simulators.bemserver import Bemserver
from simulators.server import LocalServer
from tasks import deliver, providers, suspects, sync
from tasks.runtime import Options, Runtime
from tasks.slots import Slots

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC).timestamp()
DAY = 86400.0
TOKEN = "canary-beeminder-token"
PASSWORD = "canary-bemserver-password"
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # reading the CAs takes longer than most tests
KEY = Fernet.generate_key().decode()


class ManualClock:
    """A clock that moves when it is told to; sleeping moves it."""

    def __init__(self, at: float = NOON) -> None:
        self.at = at
        self.slept: list[float] = []
        self._lock = threading.Lock()

    def now(self) -> float:
        """Where it stands."""
        return self.at

    def sleep(self, seconds: float) -> None:
        """Move ahead at once, and remember it."""
        with self._lock:
            self.slept.append(seconds)
            self.at += max(0.0, seconds)

    def advance(self, seconds: float) -> None:
        """Move ahead."""
        with self._lock:
            self.at += seconds


class CrashError(BaseException):
    """The process was killed here: nothing after this line ever ran."""


class World:
    """alice's goals `energy` and `output`, fed from two series of one BEMServer, in UTC."""

    def __init__(self, ledger: Ledger, *, at: float = NOON) -> None:
        self.ledger = ledger
        self.clock = ManualClock(at)
        self.vault = Vault([KEY])
        self.beeminder = Beeminder(clock=self.clock.now)
        self.bemserver = Bemserver(clock=self.clock.now)
        self.rung: list[tuple[str, str]] = []
        self._stack = contextlib.ExitStack()
        self._names = itertools.count(1)

    def __enter__(self) -> Self:
        self.beeminder_server = self._stack.enter_context(LocalServer(self.beeminder.app))
        self.bemserver_server = self._stack.enter_context(LocalServer(self.bemserver.app))
        self.http = self._stack.enter_context(httpx.Client(timeout=5, verify=NO_TLS))
        self._fill()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def _fill(self) -> None:
        state = self.beeminder.state
        state.add_user("alice", timezone="UTC", token=TOKEN)
        for slug in ("energy", "output"):
            state.add_goal("alice", slug, kyoom=True, aggday="sum", gunits="kWh")
        plant = self.bemserver.state
        plant.add_user("alice@example.org", PASSWORD)
        self.series = plant.add_series("Main meter", campaign="Home").id
        self.other_series = plant.add_series("Roof", campaign="Home").id
        self.measure(self.series, {NOON - 3600: 2.0, NOON - 1800: 0.5, NOON - DAY: 7.0})
        with self.ledger.write() as session:
            user = User(username="alice", created_at=self.clock.at)
            people.set_token(user, self.vault, token=TOKEN, kind="personal")
            session.add(user)
            session.flush()
            source = Source(
                user_id=user.id,
                name="plant",
                provider="bemserver",
                settings={"url": self.bemserver_server.url, "email": "alice@example.org"},
                credentials_cipher=self.vault.encrypt(f'{{"password": "{PASSWORD}"}}'),
            )
            session.add(source)
            session.flush()
            self.user_id, self.source_id = user.id or 0, source.id or 0
        self.feed_id = self.link("energy")

    def link(
        self,
        slug: str,
        *,
        series: int | None = None,
        label: str = "",
        source: int | None = None,
        **more: Any,
    ) -> int:
        """A feed of a series on a goal of alice's, due at once; returns its id."""
        with self.ledger.write() as session:
            goal = session.exec(select(Goal).where(Goal.slug == slug)).first()
            if goal is None:
                goal = Goal(user_id=self.user_id, slug=slug, declared_slug=slug)
                session.add(goal)
                session.flush()
            params = {"timeseries": series or self.series, "data_state": "Clean"}
            feed = Feed(
                goal_id=goal.id or 0,
                source_id=source or self.source_id,
                label=label,
                metric="timeseries_aggregate",
                params=params | more.pop("params", {}),
                due_at=self.clock.at,
                **{"created_at": self.clock.at, **more},
            )
            session.add(feed)
            session.flush()
            return feed.id or 0

    def measure(self, series: int, values: dict[float, float]) -> None:
        """The source has these values now (UTC seconds to value)."""
        self.bemserver.state.set_values(series, list(values.items()), data_state="Clean")

    def runtime(self, **more: Any) -> Runtime:
        """A worker of this world with a name of its own."""
        settings: dict[str, Any] = {
            "ledger": self.ledger,
            "vault": self.vault,
            "clock": self.clock,
            "http": self.http,
            "ring": self.ring,
            "owner": f"worker-{next(self._names)}",
            "providers": providers.table(),
            "options": Options(beeminder_url=self.beeminder_server.url, beeminder_rate=0),
            "slots": Slots(4),
            "rng": random.Random(7),  # noqa: S311 -- jitter that repeats
        }
        return Runtime(**(settings | more))

    def ring(self, task: str, queue: str) -> bool:
        """Remember a bell; the broker is always there."""
        self.rung.append((task, queue))
        return True

    def call_back(self, slug: str = "energy", username: str = "alice", **more: Any) -> str:
        """Store an autofetch callback as the receiver does; returns the id of the event."""
        new = inbox.NewEvent(
            kind=more.pop("kind", EventKind.AUTOFETCH),
            payload={"username": username, "slug": slug},
            received_at=self.clock.at,
            **more,
        )
        with self.ledger.write() as session:
            inbox.store(session, [new])
        return new.id

    def work(self, rt: Runtime | None = None, lane: Lane = Lane.BULK) -> None:
        """Work until nothing is due."""
        rt = rt or self.runtime()
        while sync.run(rt, lane) or deliver.run(rt) or suspects.run(rt):
            pass

    def event(self, event_id: str) -> Event:
        """An event as it stands now."""
        with self.ledger.read() as session:
            return session.get_one(Event, event_id)

    def feed(self, feed_id: int | None = None) -> Feed:
        """A feed as it stands now, by default the first."""
        with self.ledger.read() as session:
            return session.get_one(Feed, feed_id or self.feed_id)

    @contextlib.contextmanager
    def reading(self) -> Iterator[Session]:
        """A session to look around in."""
        with self.ledger.read() as session:
            yield session

    def points(self, slug: str = "energy") -> list[Datapoint]:
        """What Beeminder holds that we wrote, oldest day first."""
        ours = (p for p in self.beeminder.state.datapoints("alice", slug) if p.requestid)
        return sorted(ours, key=lambda point: point.daystamp)

    def values(self, slug: str = "energy") -> dict[str, float]:
        """Our values at Beeminder by daystamp."""
        return {point.daystamp: point.value for point in self.points(slug)}


def crash_at(step: str, *, times: int = 1) -> Callable[[str], None]:
    """A trace that kills the process the first `times` times that it comes to this step."""
    left = [times]

    def trace(name: str) -> None:
        if name == step and left[0] > 0:
            left[0] -= 1
            raise CrashError(name)

    return trace
