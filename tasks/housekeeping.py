"""What keeps a ledger and a queue small: retention, workers long gone, bells that nobody heard."""

import time
from collections.abc import Callable
from pathlib import Path

import structlog
from sqlmodel import Session

from db import (
    alerts,
    deeds,
    errands_over,
    events,
    messages,
    notices,
    receipts,
    retention,
    workers,
)
from tasks import key_ends, outages, put_off
from tasks.runtime import Runtime

log = structlog.get_logger(__name__)

DAY = 86400.0
STALE_BELL_SECONDS = 600.0
RECEIPT_DAYS = 60
MESSAGE_DAYS = 60
ERRAND_DAYS = 1
LINK_DAYS = 1


def run(rt: Runtime) -> int:
    """Forget what is older than the retention; returns how many finished events that were.

    Of each datapoint the last two sendings stay for ever: they tell what is at Beeminder. The
    others, one for each value of a day that grew, are the receipt of two months.
    """
    now = rt.clock.now()
    too_old = now - rt.options.retention_days * DAY
    with rt.ledger.write() as session:
        outages.forget(session, now)  # rows of breakers are locked before any others
        workers.forget_dead(session, now)
        key_ends.tell(session, rt.providers, now)
        put_off.clear(session, now)
    for forget, before in (
        (notices.forget, too_old),
        (alerts.forget, too_old),
        (deeds.forget, too_old),
        (retention.forget_runs, too_old),
        (retention.forget_backfills, too_old),
        (retention.forget_validators, too_old),
        (retention.forget_gates, too_old),
        (retention.forget_links, now - LINK_DAYS * DAY),
        (messages.forget, max(too_old, now - MESSAGE_DAYS * DAY)),
        (errands_over.forget, now - ERRAND_DAYS * DAY),
        (receipts.forget, max(too_old, now - RECEIPT_DAYS * DAY)),
    ):
        _all(rt, forget, before)
    forgotten = _all(rt, events.forget, too_old)
    if forgotten:
        log.info("events.forgotten", count=forgotten)
    return forgotten


def _all(rt: Runtime, forget: Callable[[Session, float], int], before: float) -> int:
    """Forget some at a time until nothing is left, or we are told to stop; returns how many."""
    total = 0
    while not rt.stopping.is_set():
        with rt.ledger.write() as session:
            gone = forget(session, before)
        total += gone
        if gone < retention.MOST:
            break
    return total


def purge_bells(
    folder: Path, *, now: float | None = None, older_than: float = STALE_BELL_SECONDS
) -> int:
    """Delete queue files of the embedded broker that nobody fetched for ten minutes.

    A bell carries nothing, so a deleted one is a late one. `now`: UTC seconds, for tests.
    """
    limit = (time.time() if now is None else now) - older_than
    purged = 0
    for bell in folder.glob("*.msg"):
        try:
            if bell.stat().st_mtime < limit:
                bell.unlink()
                purged += 1
        except FileNotFoundError:
            continue  # somebody heard it after all
    return purged
