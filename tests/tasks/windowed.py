"""A client before a simulated window: what it meets when it goes at a pace, and what it learns."""

import math
from dataclasses import dataclass, field

from db import trail
from db.trail import Mark
from simulators.windows import Window
from tasks import limits
from tasks.limits import Learned

BEGAN = 1_800_000_000.0


@dataclass
class Client:
    """Sends when it is told to, keeps its trail, and obeys refusals; all on a clock of its own."""

    window: Window
    at: float = BEGAN
    passed: int = 0
    trail: list[Mark] = field(default_factory=list)
    refusals: int = 0
    told: float = 0.0

    def __post_init__(self) -> None:
        self.meter = self.window.meter()

    def send(self) -> bool:
        """One request now: was it served?"""
        self.trail = trail.marked(self.trail, self.at, self.passed) or self.trail
        verdict = self.meter.ask(self.at)
        if verdict.served:
            self.passed += 1
            return True
        self.refusals += 1
        self.told = self.window.told(verdict.wait, now=self.at)
        return False

    def until_refused(self, interval: float, *, at_most: int = 100_000) -> bool:
        """One request after the other; False when none of so many was refused."""
        for _ in range(at_most):
            if not self.send():
                return True
            self.at += interval
        return False

    def learn(self, before: float = 0.0) -> Learned | None:
        """What the refusal that has just come tells."""
        return limits.learn(
            self.trail, passed=self.passed, left_at=self.at, wait=self.told, before=before
        )

    def reopen(self) -> None:
        """Wait as long as was asked; what is counted begins anew."""
        self.at += self.told
        self.passed, self.trail = 0, []

    @property
    def hidden(self) -> bool:
        """Does rounding hide whether the window is a second longer?"""
        seen = self.at + self.told - self.trail[0][0]
        return seen - math.floor(seen) > 1.0 - limits.ROUNDING
