"""The entry point of the receiver: hands the app what it needs, serves it, and stops in time."""

import asyncio
import contextlib
import hashlib
import hmac
import os
import resource
import signal
import socket
import threading
from collections.abc import Iterable, Iterator
from types import FrameType

import structlog
import uvicorn

import clients
from clients import notifier
from clients.errors import ClientError, Transient
from clients.notifier import Letter
from db import messages
from db.models import Feed, Goal, Source, User
from db.quotas import BEEMINDER
from db.vault import Vault
from tasks import backfill_asked, days, source_links, telling
from tasks.gates import DeferredError
from tasks.providers import Provider
from tasks.runtime import Runtime
from webhooks import protocol
from webhooks.app import create_app
from webhooks.config import ReceiverConfig
from webhooks.receiver import Receiver
from webhooks.serve_forms import FormServices
from webhooks.services import DayBounds, Identity, ServiceError
from webhooks.tracing import nobody
from worker import app as celery_app
from worker import interpreter, logs, runtime, tracing
from worker.bells import Bells
from worker.settings import Settings

log = structlog.get_logger(__name__)

BACKLOG = 4096
OPEN_FILES = 65_536  # a held callback is one; the usual 1,024 are too few
CONNECTIONS = 10  # to a database server: pages have threads of their own, and commits
KEEP_ALIVE_SECONDS = 15
GRACE_SECONDS = 2
GONE_AFTER_SECONDS = 6.5
IDENTIFY_SECONDS = 5.0
EXAMINE_SECONDS = 5.0
TICKS_A_SECOND = 10  # as uvicorn counts them
ROUNDS_BEFORE_CLOSING = 3  # of the loop; each lets in all who wait at the door
STOPS = (signal.SIGINT, signal.SIGTERM)


class VendorServices(FormServices):
    """What the receiver asks of Beeminder, of the vendors of sources, and of what tasks know."""

    def __init__(self, rt: Runtime, settings: Settings) -> None:
        super().__init__(
            rt.providers,
            rt.vault,
            operators=runtime.addresses(settings),
            others=runtime.typed(settings),
        )
        self._rt = rt

    def identify(self, token: str) -> Identity:
        """Whose token this is. https://api.beeminder.com/#get-user."""
        client = clients.BeeminderClient(
            http=self._rt.http,
            token=clients.Token("oauth", token),
            base_url=self._rt.options.beeminder_url,
            deadline=IDENTIFY_SECONDS,
        )
        try:
            user = client.me()
        except ClientError as error:
            raise ServiceError(
                error.reason, error.message, transient=isinstance(error, Transient)
            ) from None
        return Identity(user.id, user.username, user.timezone)

    def day(
        self, daystamp: str | None, *, timezone: str | None, deadline: int, now: float
    ) -> DayBounds:
        """A day of a goal (None: today) of somebody in this zone (None: UTC)."""
        try:
            zone = days.zone(timezone or "UTC")
            date = days.parse(daystamp or days.day_of(now, zone, deadline))
            window = days.window(date, zone, deadline)
        except (ValueError, OverflowError) as error:
            raise ServiceError("no_such_day", str(error), transient=False) from None
        return DayBounds(window.daystamp, window.starts_at, window.ends_at)

    def objection(self, feed_id: int, *, first: str, last: str, now: float) -> str | None:
        """Why these days (YYYYMMDD) of a feed can't be read again."""
        with self._rt.ledger.read() as session:
            feed = session.get_one(Feed, feed_id)
            source = session.get_one(Source, feed.source_id)
            goal = session.get_one(Goal, feed.goal_id)
            user = session.get_one(User, goal.user_id)
        today = self.day(None, timezone=user.timezone, deadline=goal.deadline, now=now)
        wrong = backfill_asked.wrong_span(first, last, today.daystamp)
        if wrong is not None:
            return wrong
        return backfill_asked.objection(self._rt.providers, source.provider, feed, first)

    def source_address(self, source_id: int, *, redirect_uri: str, state: str) -> str:
        """Where the owner of a source is sent to let us read it."""
        with _told():
            return source_links.address(self._rt, source_id, redirect_uri=redirect_uri, state=state)

    def link_source(self, source_id: int, *, code: str, redirect_uri: str) -> int:
        """Take what the code is good for; how many feeds go on because of it."""
        with _told():
            return source_links.finish(self._rt, source_id, code=code, redirect_uri=redirect_uri)

    def telling_service(self, url: str) -> str:
        """The name of the service that an Apprise address of a person's is for."""
        (found,) = notifier.examine(
            [Letter("new", url)], guard=telling.guard_of(self._rt), seconds=EXAMINE_SECONDS
        )
        if not found.ok or found.service is None:
            raise ServiceError(
                "bad_address", f"this address {found.reason}", transient=not found.final
            )
        return found.service


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """What goes wrong in the block, in the receiver's words."""
    try:
        yield
    except DeferredError as error:
        raise ServiceError("rate_limited", str(error), transient=True) from None
    except ClientError as error:
        transient = isinstance(error, Transient)
        raise ServiceError(error.reason, error.message, transient=transient) from None


class Server(uvicorn.Server):
    """Ends holds and streams the moment it is told to stop; uvicorn alone would wait for each.

    It is told, where uvicorn looks ten times a second: an idle receiver did little else.
    """

    def __init__(self, config: uvicorn.Config, receiver: Receiver) -> None:
        super().__init__(config)
        self._receiver = receiver
        self._loop: asyncio.AbstractEventLoop | None = None
        self._told = asyncio.Event()

    async def main_loop(self) -> None:
        """Until it is told to stop; once a second uvicorn makes the date of its answers."""
        tick = 0
        while not await self.on_tick(tick):
            tick += TICKS_A_SECOND
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._told.wait(), 1.0)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Remember the loop that the holds live in; be on time from now on."""
        self._loop = asyncio.get_running_loop()
        interpreter.be_on_time()
        await super().startup(sockets)
        for server in self.servers:
            for bound in server.sockets:
                host, port = bound.getsockname()[:2]
                log.info("receiver.serving", host=host, port=port)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let in who has come by now, then close the door: whoever still waits at it is reset."""
        for _ in range(ROUNDS_BEFORE_CLOSING):
            await asyncio.sleep(0)
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Called by a signal, between any two instructions of the main thread."""
        super().handle_exit(sig, frame)
        # Nothing is logged here: the signal may have come in the middle of a log line.
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._receiver.release)
            self._loop.call_soon_threadsafe(self._told.set)
        _be_gone()


def run(settings: Settings, host: str, port: int) -> int:
    """Serve until told to stop; the exit status. The database is migrated if it is behind."""
    logs.configure(format=settings.log_format, level=settings.log_level, process="web")
    logs.hide(*settings.secrets())
    open_files = _allow_open_files()
    bells = Bells(celery_app.make(settings))
    tracer = tracing.start(settings, "web")
    with (
        contextlib.closing(bells),
        contextlib.closing(tracer),
        runtime.build(settings, ring=bells.ring, pool=CONNECTIONS, tracer=tracer) as rt,
    ):
        app = create_app(
            config=configuration(settings, rt.providers.values()),
            ledger=rt.ledger,
            vault=rt.vault,
            clock=rt.clock,
            ring=bells.ring,
            services=VendorServices(rt, settings),
            broker_ok=bells.reachable,
            told=tracer if isinstance(tracer, tracing.Tracing) else nobody,
        )
        proxies = settings.trusted_proxies
        server = Server(
            uvicorn.Config(
                app,
                host=host,
                port=port,
                loop="uvloop",
                http=protocol.within(open_files),
                ws="none",
                lifespan="on",
                log_config=None,
                log_level="warning",
                access_log=False,  # it would show tokens and path secrets
                server_header=False,
                proxy_headers=proxies is not None,
                forwarded_allow_ips=proxies or "",
                backlog=BACKLOG,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=GRACE_SECONDS,
            ),
            app.state.receiver,
        )
        try:
            with _signals_end_here():
                server.run()
        except SystemExit:  # uvicorn's word for a start that failed; it has logged why
            return 1
    return 0 if server.started else 1


def configuration(settings: Settings, providers: Iterable[Provider] = ()) -> ReceiverConfig:
    """What the receiver has to know of the settings."""
    installed = list(providers)
    return ReceiverConfig(
        public_url=settings.public_url.rstrip("/"),
        callback_secrets=settings.callback_secrets,
        session_key=_session_key(settings.secret_keys[0]),
        beeminder_url=settings.beeminder_url.rstrip("/"),
        client_id=settings.beeminder_client_id,
        app_name=settings.beeminder_app_name,
        hold_seconds=settings.hold_seconds,
        failed_status=settings.failed_status,
        operators=frozenset(name.lower() for name in settings.operators),
        linkable=frozenset(
            provider.name for provider in installed if provider.code_flow is not None
        ),
        trusted_proxies=settings.trusted_proxies,
        operator_channels=_operator_channels(settings),
        vendors=frozenset({BEEMINDER, *(provider.name for provider in installed)}),
    )


def _operator_channels(settings: Settings) -> tuple[tuple[str, str], ...]:
    """Audience, and kind of service, of each address: all that pages may know of it."""
    vault = Vault(settings.secret_keys)
    return tuple(
        (messages.operator(vault.fingerprint(url)), url.partition("://")[0].lower())
        for url in settings.notify
    )


def _session_key(key: str) -> str:
    # A key of its own: what signs cookies never decrypts tokens.
    return hmac.new(key.strip().encode(), b"waggle session", hashlib.sha256).hexdigest()


def _allow_open_files() -> int:
    """How many files this process may have open from now on, as far as it matters."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return wanted
    return OPEN_FILES if soft == resource.RLIM_INFINITY else soft


@contextlib.contextmanager
def _signals_end_here() -> Iterator[None]:
    # uvicorn raises the signal that stopped it once more, so that the process dies of it.
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {sig: signal.signal(sig, lambda *_: None) for sig in STOPS}
    try:
        yield
    finally:
        for sig, handler in before.items():
            signal.signal(sig, handler)


def _be_gone() -> None:
    # A page that waits for a database that hangs would hold the process for as long.
    def leave() -> None:
        log.warning("receiver.left_hard")
        os._exit(1)

    timer = threading.Timer(GONE_AFTER_SECONDS, leave)
    timer.daemon = True
    timer.start()
