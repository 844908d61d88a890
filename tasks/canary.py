"""A canary: one goal of the operator's own is called back every five minutes, as Beeminder does it.

The callback goes out to the public address, through whatever stands before the receiver, into the
ledger, to a worker, the source and Beeminder, and back as a 200. What that took is written down,
and when it fails twice in a row the operator is told, once.
"""

import secrets
import threading

import structlog

from clients import canary
from clients.errors import Unavailable
from db import alerts, held_up, quotas, tallies
from db.tallies import Key, Seen
from tasks.runtime import Runtime

log = structlog.get_logger(__name__)

TURN = "canary"
APART_SECONDS = 290.0  # the bell rings each minute, so that a start does not wait for five
GRACE_SECONDS = 5.0  # beyond the hold
FAILURES = 2
KIND = "canary"  # of the alert
FRESH = Key(tallies.CANARY, "", tallies.CANARY_FRESH)
FAILED = Key(tallies.CANARY, "", tallies.CANARY_FAILED)


def begin(rt: Runtime) -> None:
    """Send one out if it is time, in a thread of its own: it waits for work, and takes no slot."""
    if rt.options.canary is not None and not rt.stopping.is_set() and _is_our_turn(rt):
        threading.Thread(target=run, args=(rt,), name="canary", daemon=True).start()


def run(rt: Runtime) -> bool:
    """Send one out and wait for its answer; True for a 200."""
    username, _, slug = (rt.options.canary or "").partition("/")
    request_id = f"canary-{secrets.token_hex(8)}"
    began = rt.clock.now()
    trouble = None
    try:
        canary.call_back(
            rt.http,
            rt.options.public_url,
            secret=rt.options.callback_secret or "",
            username=username,
            slug=slug,
            request_id=request_id,
            seconds=rt.options.hold_seconds + GRACE_SECONDS,
        )
    except Unavailable as error:
        trouble = error.message
    now = rt.clock.now()
    failures = _note(rt, now, took=now - began, trouble=trouble)
    tell = log.info if trouble is None else log.warning
    tell("canary.back", request_id=request_id, seconds=round(now - began, 3), failures=failures,
         reason=trouble)  # fmt: skip
    return trouble is None


def _note(rt: Runtime, now: float, *, took: float, trouble: str | None) -> int:
    """Write down how it went; how many have failed in a row."""
    with rt.ledger.write() as session:
        before = tallies.last(session, FAILED)
        failures = 0 if trouble is None else int(before.value if before else 0) + 1
        seen = {FAILED: Seen(now, failures)}
        if trouble is None:
            seen[FRESH] = Seen(now, took)
        tallies.mark(session, seen)
        message = (
            f"the canary {rt.options.canary} was not answered 200 in time, {failures} times in a "
            f"row: {trouble}. `waggle doctor` says more"
        )
        alerts.set_of(session, KIND, {KIND: message} if failures >= FAILURES else {}, now)
    return failures


def _is_our_turn(rt: Runtime) -> bool:
    with rt.ledger.write() as session:
        quotas.ensure(session, TURN, vendor=held_up.OURS, title=TURN)
        return quotas.reserve(session, TURN, now=rt.clock.now(), interval=APART_SECONDS).granted
