"""The three scenarios, the same for both sides."""

import time
from collections.abc import Iterator, Mapping
from typing import Protocol

from bench import measuring
from bench.figures import Case, Figures
from bench.plan import Plan, words
from bench.world import World
from simulators.windows import Kind

LIMITED, CLOSED = "limited", "closed"
# Promises: makespans in ideals, or in those of the same work without a closed tenant. Of a window
# only the size is known. The pace that fits into any is even, and an even one takes 1.09 of an
# ideal that spends each window at its very beginning; 1.13 where the first second is lost to the
# refusal that teaches it. What is left of the promise is for a machine that is busy.
KNOWN: dict[Kind, float] = {"gcra": 1.05, "fixed": 1.2, "sliding": 1.2}
UNKNOWN: dict[Kind, float] = {"gcra": 1.15, "fixed": 1.2, "sliding": 1.2}
BESIDE = 1.1
PATIENCE = 8.0  # ideals
SECONDS = 240.0

Tenants = Mapping[int, str]
"""Whose each account is."""


class Side(Protocol):
    """Waggle, or the usual way."""

    name: str

    def prepare(self, tenants: Tenants, *, scenario: str, kind: Kind | None) -> None:
        """Be ready for `start` of any of these; `kind`: how the vendor counts."""

    def start(self, tenants: Tenants) -> None:
        """All jobs of these accounts are due now."""

    def settle(self) -> None:
        """Wait until nothing is under way."""


class Scenarios:
    """Measures `plan` with one side; `place` and `workers` are words of the report."""

    def __init__(self, plan: Plan, world: World, side: Side, *, place: str, workers: int) -> None:
        self._plan, self._world, self._side = plan, world, side
        self._place, self._workers = place, workers

    def run(self) -> Iterator[Figures]:
        """Every measurement, as it ends."""
        for scenario in ("known", "unknown"):
            if scenario in self._plan.scenarios:
                for kind in self._plan.kinds:
                    yield self._limited(scenario, kind)
        if "closed" in self._plan.scenarios:
            yield from self._beside()

    def _case(self, scenario: str, window: str) -> Case:
        return Case(
            scenario=scenario,
            window=window,
            place=self._place,
            workers=self._workers,
            side=self._side.name,
        )

    def _limited(self, scenario: str, kind: Kind) -> Figures:
        """One quota for all; its size is told beforehand, or learned."""
        plan, side, window = self._plan, self._side, self._plan.window(kind)
        tenants = dict.fromkeys(range(plan.limited), LIMITED)
        jobs = plan.jobs(0, plan.limited)
        known = scenario == "known"
        ideal = window.ideal(len(jobs)) if known else window.ideal_obeying(len(jobs))
        side.prepare(tenants, scenario=scenario, kind=kind)
        found = measuring.measure(
            self._world,
            self._case(scenario, words(window)),
            jobs=jobs,
            start=lambda: side.start(tenants),
            ideal=ideal,
            patience=max(PATIENCE * ideal, 30.0),
            window=window,
        )
        side.settle()
        found.must_land()
        if known:
            found.must_not("refused", found.refused)
            found.within(KNOWN[kind])
        else:
            found.must_not("refused after the first of a closing", found.late)
            found.within(UNKNOWN[kind])
        found.must_not("early", found.early)
        return found

    def _beside(self) -> Iterator[Figures]:
        """Some share a tenant that is closed: are the others as quick as without them?"""
        plan, side = self._plan, self._side
        free = {account: f"open{account}" for account in range(plan.open)}
        everybody = free | dict.fromkeys(range(plan.open, plan.accounts), CLOSED)
        jobs, others = plan.jobs(0, plan.open), plan.jobs(plan.open, plan.accounts)
        side.prepare(everybody, scenario="closed", kind=None)
        alone = measuring.measure(
            self._world,
            self._case("alone", f"{len(jobs)} jobs without a limit"),
            jobs=jobs,
            start=lambda: side.start(free),
            ideal=0.0,
            patience=SECONDS,
        )
        side.settle()
        alone.must_land()
        yield alone
        opens_at = 0.0

        def start() -> None:
            nonlocal opens_at
            self._world.vendor.limiter.close(CLOSED, plan.closed)
            opens_at = time.time() + plan.closed
            side.start(everybody)

        found = measuring.measure(
            self._world,
            self._case("closed", f"{len(others)} more, closed for {plan.closed:g} s"),
            jobs=jobs,
            start=start,
            ideal=alone.makespan or 0.0,
            patience=SECONDS,
        )
        done = measuring.wait(self._world, others, plan.closed + SECONDS)
        served = self._world.vendor.served(others)
        if done and served.last_at is not None:
            found.others = served.last_at - opens_at
        found.count(self._world.vendor.report(), served=served.requests)
        side.settle()
        found.must_land()
        if found.others is None:
            found.broken.append("the others were not done in time")
        found.must_not("early", found.early)
        found.must_not("refused after the first of a closing", found.late)
        found.within(BESIDE)
        yield found
