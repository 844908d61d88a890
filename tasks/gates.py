"""Gates: what stands between us and each vendor's limits, over all threads and machines.

Every request of every client passes the gate of its account. A short wait is slept; a longer one
gives the work back with the time at which to go on. A refusal closes the gate for everybody until
the time that the vendor named.
"""

import contextlib
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass

from clients.errors import Transient
from clients.gate import ClosedError
from clients.limits import Limits
from db import quotas_seen
from db.quotas import Turn
from db.states import Lane
from tasks import limits, policy, turns
from tasks.limits import Pace, Quota
from tasks.runtime import Runtime
from tasks.ways import Way, is_proven

SLEEP_AT_MOST = 1.0  # for the first request of a piece of work; nothing is lost by giving it back
PATIENCE = 5.0  # for those after it, which would have to begin anew
TURNS = 2.0  # so many of a pace that is slower than that are waited for as well
STAGGER = 0.5  # seconds over which work that was put back comes again


class DeferredError(ClosedError):
    """Not before `until`: a limit says so. Costs no attempt."""

    def __init__(self, until: float, error: dict[str, str]) -> None:
        super().__init__(error["message"])
        self.until = until
        self.error = error


@dataclass(slots=True)
class _Errand:
    """A piece of work: how urgent it is, and whether its first request has left."""

    lane: Lane
    begun: bool = False


_ERRAND: ContextVar[_Errand | None] = ContextVar("errand", default=None)


@contextlib.contextmanager
def errand(lane: Lane) -> Iterator[None]:
    """What is asked in this block belongs together, and is as urgent as `lane`."""
    token = _ERRAND.set(_Errand(lane))
    try:
        yield
    finally:
        _ERRAND.reset(token)


def give_way(rt: Runtime, *, computes: bool = True) -> None:
    """Between two steps of a piece of work: what is scheduled lets callbacks go first."""
    now_on = _ERRAND.get()
    if now_on is not None and now_on.lane is Lane.BULK:
        rt.processor.turn(computes=computes)


def go_on() -> None:
    """What is asked from now on has the patience of a request that is not the first of its errand.

    For work that goes on while its first request is on its way in another thread.
    """
    now_on = _ERRAND.get()
    if now_on is not None:
        now_on.begun = True


class LedgerGate:
    """The way to one account at one vendor; see `clients.gate.Gate`. Used by many threads.

    `counted`: what the vendor counts by, the account first. `where` names it in errors. `pace` is
    one that we set ourselves, where the vendor names none.
    """

    def __init__(
        self,
        rt: Runtime,
        vendor: str,
        counted: Sequence[Quota],
        *,
        where: str,
        pace: Pace | None = None,
        secrets: tuple[str, ...] = (),
    ) -> None:
        self.secrets = secrets
        self._rt = rt
        self._vendor = vendor
        self._counted = counted
        self._pace = pace
        self._where = where

    def enter(self, method: str, path: str, *, within: float) -> "LedgerPassage | DeferredError":
        """Wait for the turn of one request under all that is counted, or say when to come back."""
        give_way(self._rt, computes=False)
        now_on = _ERRAND.get() or _Errand(Lane.DEFAULT, begun=True)
        goes_on, asked_at = now_on.begun, self._rt.clock.now()
        through = [self._way(quota, method, path) for quota in self._counted]
        patience = PATIENCE if goes_on else SLEEP_AT_MOST
        ends_at = asked_at + min(within, patience)
        found = turns.wait(self._rt, through, ends_at=ends_at, lane=now_on.lane)
        if goes_on and not isinstance(found, list):
            ends_at = asked_at + min(within, TURNS * turns.slowest(self._rt, through))
            if found <= ends_at:
                found = turns.wait(
                    self._rt,
                    through,
                    ends_at=ends_at,
                    lane=now_on.lane,
                    queue=now_on.lane is not Lane.BULK,  # which a callback may overtake
                )
        if not isinstance(found, list):
            self._rt.tally.count("deferrals", self._vendor)
            until = found + self._rt.rng.uniform(0.0, STAGGER)
            text = f"{self._where}: waiting for a limit"
            return DeferredError(until, {"code": "rate_limited", "message": text})
        now_on.begun = True
        taken = list(zip(through, found, strict=True))
        return LedgerPassage(self._rt, self._vendor, taken, where=self._where)

    def come_near(self, *, seconds: float, within: float) -> None:
        """Wait until the turn of the next request is so near; not where it is further than that."""
        through = [self._way(quota, "", "") for quota in self._counted]
        turns.come_near(self._rt, through, seconds=seconds, within=within)

    def is_open(self) -> bool:
        """Is nothing closed here, and has somebody come through since it was?"""
        keys = [self._way(quota, "", "").key for quota in self._counted]
        with self._rt.ledger.read() as session:
            found = quotas_seen.look_at(session, keys)
        now = self._rt.clock.now()
        shut = any(self._rt.closings.until(key, now) > now for key in keys)
        return not shut and all(is_proven(gate, now) for gate in found.values())

    def _way(self, quota: Quota, method: str, path: str) -> Way:
        endpoint = limits.endpoint(method, path, quota.routes) if quota.per_endpoint else ""
        return Way(
            self._rt,
            quota.key(self._vendor, endpoint),
            quota,
            pace=self._pace or quota.pace(),
            vendor=self._vendor,
            endpoint=endpoint,
        )


class LedgerPassage:
    """One request on its way, with its turn under each quota; see `clients.gate.Passage`."""

    def __init__(
        self, rt: Runtime, vendor: str, taken: Sequence[tuple[Way, Turn]], *, where: str
    ) -> None:
        self._rt = rt
        self._vendor = vendor
        self._taken = taken
        self._where = where

    def answered(self, said: Limits) -> None:
        """The gate is open. What the headers say is about the account, which comes first."""
        self._count("answered")
        for number, (way, turn) in enumerate(self._taken):
            way.answered(turn, said if number == 0 else Limits())

    def refused(self, error: Transient, said: Limits) -> Exception:
        """Close every gate that the request passed: the answer does not say which it is about."""
        self._count("refused")
        until = max(way.refused(turn, error, said) for way, turn in self._taken)
        return DeferredError(
            until + self._rt.rng.uniform(0.0, STAGGER), policy.as_json(error, where=self._where)
        )

    def lost(self) -> None:
        """Whoever waits for this one to go first may go."""
        self._count("unanswered")
        for way, turn in self._taken:
            way.lost(turn)

    def _count(self, outcome: str) -> None:
        self._rt.tally.count("vendor_requests", self._vendor, outcome)
