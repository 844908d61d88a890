"""What time it is, for everything that is compared between machines.

Leases and gates are compared by several machines, so they all use the database's clock. Asking it
for every decision would cost a round trip; it is asked once a minute and carried on with a local
clock in between that no administrator and no NTP daemon moves, and that goes on while the machine
is suspended.
"""

import time
from collections.abc import Callable
from typing import Protocol

import structlog
from sqlalchemy import text

from db.engine import Ledger

log = structlog.get_logger(__name__)

RESYNC_SECONDS = 60.0
JUMP_SECONDS = 2.0
# An answer counts from when it is here, so it is late by its way back: of some the quickest is
# taken. Late by more than a bell takes, a worker would not see the callback it was rung for.
QUICK_SECONDS = 0.002
ASKED_AT_MOST = 5
PATIENCE_SECONDS = 0.25
# Linux stops the usual one while the machine sleeps: all that was carried by it would be late by
# that time, and a gate that was closed then would open so much too early.
STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Clock(Protocol):
    """Where `now` comes from; tests hand in their own."""

    def now(self) -> float:
        """UTC seconds since 1970."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait; only for waits that are part of a plan, never for a retry loop."""
        ...


def since_boot() -> float:
    """Seconds on a clock that nobody sets, those in which the machine was suspended included."""
    return time.clock_gettime(STEADY)


class LedgerClock:
    """The database's time, carried on by a local clock that nobody sets.

    A difference of more than `JUMP_SECONDS` between the carried and the asked time is logged as
    `clock.jumped`: somebody set a clock, or a virtual machine was paused, whose clocks all stand
    still meanwhile. Then leases may end early or late once, and what was closed within the last
    minute by the late time opens early by the difference: the times are in the ledger already.
    """

    def __init__(self, ledger: Ledger, *, monotonic: Callable[[], float] = since_boot) -> None:
        self._ledger = ledger
        self._monotonic = monotonic
        # What was answered and when that was: one value, so that no thread reads half of a new one.
        self._known = self._compared()

    def now(self) -> float:
        """UTC seconds since 1970, by the database's clock."""
        asked, asked_at = self._known
        at = self._monotonic()
        if at - asked_at <= RESYNC_SECONDS:
            return asked + (at - asked_at)
        carried = asked + (at - asked_at)
        self._known = (carried, at)  # other threads go on with it while this one asks
        asked, asked_at = self._known = self._compared()
        carried += asked_at - at
        if abs(asked - carried) > JUMP_SECONDS:
            log.warning("clock.jumped", seconds=round(asked - carried, 3))
        return asked + (self._monotonic() - asked_at)

    def sleep(self, seconds: float) -> None:
        """Wait for real."""
        time.sleep(max(0.0, seconds))

    def _compared(self) -> tuple[float, float]:
        """The database's time, and when it was here by the local clock: never ahead of it."""
        found: list[tuple[float, float, float]] = []
        patience = PATIENCE_SECONDS
        while len(found) < ASKED_AT_MOST and patience > 0.0:
            asked_at = self._monotonic()
            answer = self._ask()
            came_at = self._monotonic()
            took = came_at - asked_at
            if found:  # the first one may have had to make a connection
                patience -= took
            found.append((took, answer, came_at))
            if took <= QUICK_SECONDS:
                break
        _, answer, came_at = min(found)
        return answer, came_at

    def _ask(self) -> float:
        if self._ledger.is_sqlite:  # the database is a file: its clock is this machine's
            return time.time()
        with self._ledger.read() as session:
            row = session.connection().execute(text("SELECT extract(epoch FROM clock_timestamp())"))
            return float(row.scalar_one())
