"""Gates: asked before every request to a vendor, closed by the vendor's refusals.

A short wait is slept; a longer one gives the work back with the time at which to go on.
"""

import hashlib
from collections.abc import Callable
from typing import TypeVar

from clients.errors import RateLimited, Transient
from db import quotas
from tasks import policy
from tasks.runtime import Runtime

SLEEP_AT_MOST = 1.0
BURST = 10  # requests that may leave together after a pause

T = TypeVar("T")


class DeferredError(Exception):
    """Not before `until`: a limit says so. Costs no attempt."""

    def __init__(self, until: float, error: dict[str, str]) -> None:
        super().__init__(error["message"])
        self.until = until
        self.error = error


def key(vendor: str, account: str) -> str:
    """The key of a quota: what the vendor counts by, without showing it."""
    return f"{vendor}:{hashlib.sha256(account.encode()).hexdigest()[:24]}"


def enter(rt: Runtime, quota: str, *, rate: float) -> None:
    """Wait for the turn of one request, or raise `DeferredError` when that is further away."""
    granted = rate <= 0  # without a rate of our own there is no turn to wait for
    while True:
        now = rt.clock.now()
        if granted:
            with rt.ledger.read() as session:
                at = quotas.closed_until(session, quota)
        else:
            with rt.ledger.write() as session:
                turn = quotas.reserve(session, quota, now=now, interval=1.0 / rate, burst=BURST)
            at, granted = turn.at, turn.granted
            if granted and at <= now:
                return
        if at - now > SLEEP_AT_MOST:
            raise DeferredError(at, {"code": "rate_limited", "message": "waiting for a limit"})
        if at <= now:
            return
        rt.clock.sleep(at - now)  # and look again: the gate may have been closed meanwhile


def call(rt: Runtime, quota: str, ask: Callable[[], T], *, rate: float = 0.0, where: str) -> T:
    """One request through its gate; whatever names a time to come back closes it for everybody."""
    enter(rt, quota, rate=rate)
    try:
        return ask()
    except Transient as error:
        if isinstance(error, RateLimited) or error.retry_after is not None:
            raise refused(rt, quota, error, where=where) from None
        raise


def refused(rt: Runtime, quota: str, error: Transient, *, where: str) -> DeferredError:
    """Close the gate as the vendor asked, and say until when."""
    now = rt.clock.now()
    seconds, _ = policy.wait(
        RateLimited(str(error), reason=error.reason, retry_after=error.retry_after),
        attempts=0,
        deferrals=0,
        age=0.0,
        rng=rt.rng,
    )
    with rt.ledger.write() as session:
        quotas.close(session, quota, now + seconds, seen=error.reason)
    return DeferredError(now + seconds, policy.as_json(error, where=where))
