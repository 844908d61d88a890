"""Building what tasks need, once per process and after the fork."""

import contextlib
import ssl
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import httpx
import structlog

from clients.public import PublicOnly, is_loopback_host
from db import schema
from db.clock import LedgerClock
from db.engine import Ledger
from db.vault import Vault
from tasks import providers
from tasks.declare_sources import Addresses
from tasks.runtime import Options, Runtime
from tasks.slots import Slots
from tasks.tracing import NoTracer, Tracer
from worker import redaction, whereabouts
from worker.settings import Settings
from worker.vendor_http import VendorClient

log = structlog.get_logger(__name__)

SLOTS = 16
FEWEST_CONNECTIONS = 5
MOST_CONNECTIONS = 20
HTTP_LIMITS = httpx.Limits(max_connections=200, max_keepalive_connections=50, keepalive_expiry=30)


def connections(slots: int) -> int:
    """How many connections to a database server so many slots share.

    A slot waits for vendors most of the time, and holds none meanwhile; and one process has one
    processor. More would only be colder: a server plans statements anew for each of them.
    """
    return min(MOST_CONNECTIONS, max(FEWEST_CONNECTIONS, slots // 4 + 1))


@contextlib.contextmanager
def build(
    settings: Settings,
    *,
    ring: Callable[[str, str], bool],
    slots: int = SLOTS,
    pool: int | None = None,
    tracer: Tracer | None = None,
) -> Iterator[Runtime]:
    """A runtime for the block; the database is migrated if it is behind.

    `pool`: connections to a database server; None: as many as the slots need.
    """
    tracer = tracer or NoTracer()
    ledger = Ledger(settings.database_url, pool=pool or connections(slots))
    # One for the process: it takes longer than a callback, and more memory than a hundred of them.
    tls = httpx.create_ssl_context()
    with (
        contextlib.closing(ledger),
        VendorClient(tracer=tracer, verify=tls, limits=HTTP_LIMITS) as http,
        _for_sources(addresses(settings), tls, tracer) as sources_http,
        _for_sources(typed(settings), tls, tracer) as public_http,
    ):
        done = schema.migrate(ledger, copies_in=settings.backup_folder)
        if done is not None:
            copy = None if done.copy is None else str(done.copy)
            log.info("schema.migrated", before=done.before, now=schema.HEAD, copy=copy)
        yield Runtime(
            ledger=ledger,
            vault=Vault(settings.secret_keys),
            clock=LedgerClock(ledger),
            http=http,
            sources_http=sources_http,
            public_http=public_http,
            ring=ring,
            owner=whereabouts.name(),
            providers=providers.table(),
            slots=Slots(slots),
            options=options(settings),
            clean=redaction.text,
            tracer=tracer,
        )


@contextlib.contextmanager
def _for_sources(
    allowed: Addresses, tls: ssl.SSLContext, tracer: Tracer
) -> Iterator[httpx.Client | None]:
    """The client for addresses that people give; None where they may be any."""
    if allowed.private:
        yield None
        return
    inner = httpx.HTTPTransport(verify=tls, limits=HTTP_LIMITS)
    guarded = PublicOnly(inner, loopback=allowed.loopback)
    # Not through a proxy of the environment's: it would look the name up once more.
    with VendorClient(tracer=tracer, transport=guarded, trust_env=False) as http:
        yield http


def addresses(settings: Settings) -> Addresses:
    """Which addresses sources may have.

    This machine's own are no one's secret where Waggle itself is only reached there; and as long as
    nothing is said, they are the operator's, who alone writes the file.
    """
    here = urlsplit(settings.public_url).hostname or ""
    return Addresses(
        http=settings.allow_http,
        private=not settings.refuses_private,
        loopback=settings.private_addresses is None or is_loopback_host(here),
    )


def typed(settings: Settings) -> Addresses:
    """Which addresses may be typed on a page by somebody who is no operator: public ones only.

    Unless the operator has said that any may be.
    """
    anywhere = settings.private_addresses == "allow"
    return Addresses(http=settings.allow_http, private=anywhere, loopback=anywhere)


def options(settings: Settings) -> Options:
    """The settings that decide what tasks do."""
    allowed = addresses(settings)
    return Options(
        beeminder_url=settings.beeminder_url,
        beeminder_rate=settings.beeminder_rate,
        app_name=settings.beeminder_app_name,
        hold_seconds=settings.hold_seconds,
        lookback_days=settings.lookback_days,
        corrections=settings.corrections,
        retention_days=settings.retention_days,
        progress_runs=settings.progress_runs,
        private_addresses=allowed.private,
        loopback_addresses=allowed.loopback,
        public_url=settings.public_url.rstrip("/"),
        notify=settings.notify,
        heartbeat_url=settings.heartbeat_url,
        canary=settings.canary,
        callback_secret=settings.callback_secrets[0] if settings.callback_secrets else None,
    )
