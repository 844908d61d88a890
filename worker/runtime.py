"""Building what tasks need, once per process and after the fork."""

import contextlib
import os
import secrets
import socket
from collections.abc import Callable, Iterator

import httpx

from db import schema
from db.clock import LedgerClock
from db.engine import Ledger
from db.vault import Vault
from tasks import providers
from tasks.runtime import Options, Runtime
from tasks.slots import Slots
from worker.settings import Settings

SLOTS = 16
HTTP_LIMITS = httpx.Limits(max_connections=200, max_keepalive_connections=50, keepalive_expiry=30)


def name() -> str:
    """Who holds a lease: unique to this start of this process."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


@contextlib.contextmanager
def build(
    settings: Settings, *, ring: Callable[[str, str], bool], slots: int = SLOTS
) -> Iterator[Runtime]:
    """A runtime for the block; the database is migrated if it is behind."""
    ledger = Ledger(settings.database_url)
    # One client for the process: a TLS context costs more than a callback.
    with contextlib.closing(ledger), httpx.Client(limits=HTTP_LIMITS) as http:
        schema.migrate(ledger)
        yield Runtime(
            ledger=ledger,
            vault=Vault(settings.secret_keys),
            clock=LedgerClock(ledger),
            http=http,
            ring=ring,
            owner=name(),
            providers=providers.table(),
            slots=Slots(slots),
            options=options(settings),
        )


def options(settings: Settings) -> Options:
    """The settings that decide what tasks do."""
    return Options(
        beeminder_url=settings.beeminder_url,
        beeminder_rate=settings.beeminder_rate,
        app_name=settings.beeminder_app_name,
        hold_seconds=settings.hold_seconds,
        lookback_days=settings.lookback_days,
        corrections=settings.corrections,
        retention_days=settings.retention_days,
        allow_http=settings.allow_http,
    )
