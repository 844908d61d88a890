"""What keeps a ledger and a queue small: retention, workers long gone, bells that nobody heard."""

import time
from pathlib import Path

import structlog

from db import alerts, errands_over, events, messages, notices, receipts, workers
from tasks import key_ends, outages, put_off
from tasks.runtime import Runtime

log = structlog.get_logger(__name__)

DAY = 86400.0
STALE_BELL_SECONDS = 600.0
RECEIPT_DAYS = 60
MESSAGE_DAYS = 60
ERRAND_DAYS = 1


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
        notices.forget(session, too_old)
        alerts.forget(session, too_old)
        messages.forget(session, max(too_old, now - MESSAGE_DAYS * DAY))
        errands_over.forget(session, now - ERRAND_DAYS * DAY)
        receipts.forget(session, max(too_old, now - RECEIPT_DAYS * DAY))
        forgotten = events.forget(session, too_old)
    if forgotten:
        log.info("events.forgotten", count=forgotten)
    return forgotten


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
