"""A receiver on a real socket, with a ledger of its own and stand-ins for what is handed in."""

import contextlib
import dataclasses
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from urllib.parse import urlencode

import httpx
import pytest
import sqlalchemy
import uvicorn
from cryptography.fernet import Fernet
from sqlmodel import select

from db import inbox
from db.engine import Ledger
from db.models import Event
from db.vault import Vault
from simulators.server import PromptServer
from tasks import providers
from tasks.declare_sources import Addresses
from webhooks.app import create_app
from webhooks.config import ReceiverConfig
from webhooks.protocol import BoundedProtocol
from webhooks.receiver import Receiver
from webhooks.serve import VendorServices
from webhooks.serve_forms import FormServices
from webhooks.services import Identity, ServiceError

SECRET = "path-secret-1"
NOW = 1_795_000_000.0
BOUND_SECONDS = 10.0


class SetClock:
    """A clock that stands still until a test moves it."""

    def __init__(self, at: float = NOW):
        self.at = at

    def now(self) -> float:
        """The time that was set."""
        return self.at

    def sleep(self, seconds: float) -> None:
        """Move on without waiting."""
        self.at += seconds


@dataclasses.dataclass
class FakeServices:
    """Beeminder as far as the receiver asks it: who has which token, or why it does not say."""

    people: dict[str, Identity] = dataclasses.field(default_factory=dict)
    error: ServiceError | None = None
    asked: list[str] = dataclasses.field(default_factory=list)
    linked: list[tuple[int, str, str]] = dataclasses.field(default_factory=list)
    woken: int = 0
    asked_days: list[tuple[int, str, str]] = dataclasses.field(default_factory=list)
    against: str | None = None
    forms: FormServices | None = None

    def day(self, daystamp, *, timezone, deadline, now):
        """As a real one, which needs no vendor."""
        return VendorServices.day(self, daystamp, timezone=timezone, deadline=deadline, now=now)

    def objection(self, feed_id: int, *, first: str, last: str, now: float) -> str | None:
        """What a test has against these days."""
        self.asked_days.append((feed_id, first, last))
        return self.against

    def __getattr__(self, name: str):
        """What asks no vendor is answered by the real thing."""
        return getattr(self.forms, name)

    def source_address(self, source_id: int, *, redirect_uri: str, state: str) -> str:
        """Somewhere at the vendor's."""
        if self.error is not None:
            raise self.error
        query = urlencode({"source": source_id, "redirect_uri": redirect_uri, "state": state})
        return f"https://vendor.test/authorize?{query}"

    def link_source(self, source_id: int, *, code: str, redirect_uri: str) -> int:
        """Remember what was to be exchanged."""
        if self.error is not None:
            raise self.error
        self.linked.append((source_id, code, redirect_uri))
        return self.woken

    def telling_service(self, url: str) -> str:
        """The scheme, where it is one that is known here."""
        if self.error is not None:
            raise self.error
        scheme = url.partition("://")[0]
        if scheme not in ("ntfy", "json"):
            raise ServiceError("bad_address", "this address is not understood", transient=False)
        return scheme

    def identify(self, token: str) -> Identity:
        """Look the token up."""
        self.asked.append(token)
        if self.error is not None:
            raise self.error
        if token not in self.people:
            raise ServiceError("auth_failed", "no such token", transient=False)
        return self.people[token]


@dataclasses.dataclass
class Bell:
    """A bell that counts; `let` holds it back while it is clear, as a frozen broker would."""

    rung: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    reached: bool = True
    let: threading.Event = dataclasses.field(default_factory=threading.Event)

    def __post_init__(self):
        self.let.set()

    def ring(self, task: str, queue: str) -> bool:
        """Ring once."""
        self.rung.append((task, queue))
        self.let.wait(BOUND_SECONDS)
        return self.reached


@dataclasses.dataclass
class Serving:
    """A receiver that serves, and a client for it."""

    receiver: Receiver
    url: str
    client: httpx.Client
    ledger: Ledger
    clock: SetClock
    vault: Vault
    services: FakeServices
    bell: Bell
    threads: ThreadPoolExecutor

    def autofetch(self, username: str = "alice", slug: str = "energy", **options) -> httpx.Response:
        """One callback, as Beeminder sends it."""
        return self.client.post(
            f"/beeminder/autofetch/{SECRET}",
            data={"username": username, "slug": slug},
            **options,
        )

    def later(self, call: Callable[..., httpx.Response], *args, **options) -> Future:
        """Have a request run while the test goes on."""
        return self.threads.submit(call, *args, **options)

    def events(self) -> list[Event]:
        """The inbox, oldest first."""
        with self.ledger.read() as session:
            return list(session.exec(select(Event).order_by(Event.id)))

    def stored(self, count: int = 1) -> list[Event]:
        """The inbox, once it holds that many events."""
        until(lambda: len(self.events()) >= count)
        return self.events()

    def finish(self, event_id: str, *, datapoints: int = 0, error=None, dead=False) -> None:
        """Do what a worker does at the end."""
        with self.ledger.write() as session:
            session.connection().execute(
                sqlalchemy.update(Event).where(Event.id == event_id).values(datapoints=datapoints)
            )
            inbox.finish(session, [event_id], self.clock.now(), error=error, dead=dead)


def until(true: Callable[[], bool]) -> None:
    """Go on as soon as something is true; fail when it does not come true."""
    ends_at = time.monotonic() + BOUND_SECONDS
    while not true():
        assert time.monotonic() < ends_at, "it did not happen in time"
        threading.Event().wait(0.005)


@contextlib.contextmanager
def listening(app) -> Iterator[str]:
    """Serve an app on a free port of 127.0.0.1; gives its URL."""
    config = uvicorn.Config(
        app, port=0, loop="uvloop", http=BoundedProtocol, ws="none", log_level="warning",
        access_log=False, timeout_graceful_shutdown=2,
    )  # fmt: skip
    server = PromptServer(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        assert server.listening.wait(BOUND_SECONDS), "it did not start in time"
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.stop()
        thread.join(BOUND_SECONDS)


@pytest.fixture(name="until")
def _until() -> Callable[[Callable[[], bool]], None]:
    """Go on as soon as something is true."""
    return until


@pytest.fixture
def bell() -> Bell:
    """A bell that counts."""
    return Bell()


@pytest.fixture
def vault() -> Vault:
    """A ring of two keys, in the middle of a rotation."""
    return Vault([Fernet.generate_key().decode(), Fernet.generate_key().decode()])


@contextlib.contextmanager
def starting(ledger: Ledger, vault: Vault) -> Iterator[Callable[..., Serving]]:
    """What starts receivers on this ledger; keyword arguments are settings of them."""
    with contextlib.ExitStack() as stack:

        def start(*, broker_ok: Callable[[], bool] = lambda: True, **settings) -> Serving:
            clock, bell = SetClock(), Bell()
            forms = FormServices(
                providers.table(),
                vault,
                operators=Addresses(private=True, loopback=True),
                others=Addresses(private=False),
            )
            services = FakeServices(forms=forms)
            given = {
                "public_url": "http://waggle.test",
                "callback_secrets": (SECRET, "path-secret-2"),
                "session_key": "signing key of the tests",
                "beeminder_url": "https://beeminder.test",
                "client_id": "client-1",
                "hold_seconds": 0.0,
                "linkable": frozenset({"bime"}),
            }
            app = create_app(
                config=ReceiverConfig(**(given | settings)),
                ledger=ledger,
                vault=vault,
                clock=clock,
                ring=bell.ring,
                services=services,
                broker_ok=broker_ok,
            )
            url = stack.enter_context(listening(app))
            stack.callback(app.state.receiver.release)
            client = stack.enter_context(httpx.Client(base_url=url, timeout=BOUND_SECONDS))
            threads = stack.enter_context(ThreadPoolExecutor(64))
            stack.callback(bell.let.set)
            return Serving(
                app.state.receiver, url, client, ledger, clock, vault, services, bell, threads
            )

        yield start


@pytest.fixture(scope="session", name="starting")
def _starting() -> Callable[..., contextlib.AbstractContextManager[Callable[..., Serving]]]:
    """Start receivers on a ledger that several tests share."""
    return starting


@pytest.fixture
def serve(ledger: Ledger, vault: Vault) -> Iterator[Callable[..., Serving]]:
    """Start a receiver; keyword arguments are settings of it."""
    with starting(ledger, vault) as start:
        yield start


@pytest.fixture
def serving(serve) -> Serving:
    """A receiver that holds nothing."""
    return serve()
