"""A gate over a real ledger, and a vendor behind it that is a window and nothing else."""

import random
from collections.abc import Callable
from typing import Any

import httpx
from cryptography.fernet import Fernet

from clients.errors import RateLimited
from clients.limits import Limits
from db import quotas_closing
from db.engine import Ledger
from db.models_limits import Quota as Row
from db.states import Lane
from db.vault import Vault
from simulators.limiter_counts import Counter, Tally
from simulators.windows import Window
from tasks import gates
from tasks.gates import DeferredError, LedgerGate, LedgerPassage
from tasks.limits import Limit, Quota
from tasks.runtime import Runtime
from tests.world import ManualClock

UNKNOWN = Quota(account="someone", title="plant", unknown=True)
TENANT = Quota(account="tenant", limit=Limit(requests=100, seconds=10.0))
ENDPOINT = Quota(account="tenant endpoints", unknown=True, per_endpoint=True)
ROUTED = Quota(account="routes", unknown=True, per_endpoint=True, routes=("things/*",))


class House:
    """Several processes on one ledger, before one vendor."""

    def __init__(self, ledger: Ledger, clock: ManualClock | None = None) -> None:
        self.ledger = ledger
        self.clock = clock or ManualClock()

    def runtime(self, name: str = "a") -> Runtime:
        """The tools of one process; nothing goes over its http."""
        return Runtime(
            ledger=self.ledger,
            vault=Vault([Fernet.generate_key().decode()]),
            clock=self.clock,
            http=httpx.Client(trust_env=False, verify=False),  # noqa: S501 -- never used
            ring=lambda _task, _queue: True,
            owner=name,
            providers={},
            rng=random.Random(7),  # noqa: S311 -- jitter that repeats
        )

    def gate(self, *counted: Quota, rt: Runtime | None = None, **more: Any) -> LedgerGate:
        """A gate of one process, by default of a quota that nobody knows."""
        counted = counted or (UNKNOWN,)
        return LedgerGate(rt or self.runtime(), "vendor", counted, where="source plant", **more)

    def row(self, quota: Quota = UNKNOWN, endpoint: str = "") -> Row:
        """The gate in the ledger."""
        with self.ledger.read() as session:
            found = session.get(Row, quota.key("vendor", endpoint))
        assert found is not None
        return found

    def close(self, seconds: float, quota: Quota = UNKNOWN, endpoint: str = "") -> None:
        """Close it for so long, as another process would."""
        with self.ledger.write() as session:
            key, now = quota.key("vendor", endpoint), self.clock.at
            quotas_closing.close(session, key, now + seconds, now=now, seen="rate_limited")


def come_in(
    gate: LedgerGate, path: str = "things/7", *, lane: Lane | None = None, within: float = 9.0
) -> LedgerPassage | DeferredError:
    """Ask for the turn of one request, as the first of a piece of work of this lane."""
    if lane is None:
        return gate.enter("GET", path, within=within)
    with gates.errand(lane):
        return gate.enter("GET", path, within=within)


def passed(found: LedgerPassage | DeferredError) -> LedgerPassage:
    """It was let through."""
    assert isinstance(found, LedgerPassage)
    return found


def deferred(found: Exception | LedgerPassage) -> DeferredError:
    """It was put off."""
    assert isinstance(found, DeferredError)
    return found


def refusal(wait: float | None, status: int = 429) -> RateLimited:
    """The answer of a limit."""
    return RateLimited("busy", status=status, retry_after=wait)


class Vendor:
    """Serves what its window allows; writes down who came early. Answers take no time."""

    def __init__(self, window: Window, clock: ManualClock) -> None:
        self.window, self._meter, self._clock = window, window.meter(), clock
        self._counter = Counter(grace=0.1)

    @property
    def tally(self) -> Tally:
        """What was counted."""
        return self._counter.tally()

    def ask(self, passage: LedgerPassage, limits: Callable[[Any], Limits] | None = None) -> bool:
        """One request that was let through: was it served?"""
        now = self._clock.now()
        self._counter.arrive(now)
        verdict = self._meter.ask(now)
        if verdict.served:
            self._counter.serve(now)
            passage.answered(limits(verdict) if limits else Limits())
            return True
        told = self.window.told(verdict.wait, now=now)
        self._counter.refuse(now, wait=told, told=True)
        deferred(passage.refused(refusal(told), Limits(retry_after=told)))
        return False
