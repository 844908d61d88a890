"""The entry point of the receiver: hands the app what it needs, serves it, and stops in time."""

import asyncio
import contextlib
import hashlib
import hmac
import os
import resource
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from types import FrameType

import httpx
import structlog
import uvicorn

import clients
from clients.errors import ClientError, Transient
from db import schema
from db.clock import LedgerClock
from db.engine import Ledger
from db.vault import Vault
from webhooks.app import create_app
from webhooks.config import ReceiverConfig
from webhooks.protocol import BoundedProtocol
from webhooks.receiver import Receiver
from webhooks.services import Identity, ServiceError
from worker import app as celery_app
from worker import logs
from worker.bells import Bells
from worker.settings import Settings

log = structlog.get_logger(__name__)

BACKLOG = 4096
# SQLite gives the interpreter up at every row; with Python's 5 ms a commit waits for the loop at
# each of them.
SWITCH_SECONDS = 0.0005
OPEN_FILES = 65_536  # a held callback is one; the usual 1,024 are too few
KEEP_ALIVE_SECONDS = 15
GRACE_SECONDS = 2
GONE_AFTER_SECONDS = 6.5
IDENTIFY_SECONDS = 5.0
STOPS = (signal.SIGINT, signal.SIGTERM)


class BeeminderServices:
    """What the receiver asks of Beeminder."""

    def __init__(self, *, http: httpx.Client, base_url: str) -> None:
        self._http = http
        self._base_url = base_url

    def identify(self, token: str) -> Identity:
        """Whose token this is. https://api.beeminder.com/#get-user."""
        client = clients.BeeminderClient(
            http=self._http,
            token=clients.Token("oauth", token),
            base_url=self._base_url,
            deadline=IDENTIFY_SECONDS,
        )
        try:
            user = client.me()
        except ClientError as error:
            raise ServiceError(
                error.reason, error.message, transient=isinstance(error, Transient)
            ) from None
        return Identity(user.id, user.username, user.timezone)


class Server(uvicorn.Server):
    """Ends all holds the moment it is told to stop; uvicorn alone would wait for each."""

    def __init__(self, config: uvicorn.Config, receiver: Receiver) -> None:
        super().__init__(config)
        self._receiver = receiver
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Remember the loop that the holds live in."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        for server in self.servers:
            for bound in server.sockets:
                host, port = bound.getsockname()[:2]
                log.info("receiver.serving", host=host, port=port)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Called by a signal, between any two instructions of the main thread."""
        super().handle_exit(sig, frame)
        # Nothing is logged here: the signal may have come in the middle of a log line.
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._receiver.holds.release)
        _be_gone()


def run(settings: Settings, host: str, port: int) -> int:
    """Serve until told to stop; the exit status. The database is migrated if it is behind."""
    logs.configure(format=settings.log_format, level=settings.log_level)
    logs.hide(*settings.secrets())
    _allow_open_files()
    sys.setswitchinterval(SWITCH_SECONDS)
    ledger = Ledger(settings.database_url)
    bells = Bells(celery_app.make(settings))
    with contextlib.closing(ledger), contextlib.closing(bells), httpx.Client() as http:
        schema.migrate(ledger)
        app = create_app(
            config=configuration(settings),
            ledger=ledger,
            vault=Vault(settings.secret_keys),
            clock=LedgerClock(ledger),
            ring=bells.ring,
            services=BeeminderServices(http=http, base_url=settings.beeminder_url),
            broker_ok=bells.reachable,
        )
        proxies = settings.trusted_proxies
        server = Server(
            uvicorn.Config(
                app,
                host=host,
                port=port,
                loop="uvloop",
                http=BoundedProtocol,
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


def configuration(settings: Settings) -> ReceiverConfig:
    """What the receiver has to know of the settings."""
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
        trusted_proxies=settings.trusted_proxies,
    )


def _session_key(key: str) -> str:
    # A key of its own: what signs cookies never decrypts tokens.
    return hmac.new(key.strip().encode(), b"waggle session", hashlib.sha256).hexdigest()


def _allow_open_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


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
