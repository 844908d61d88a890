"""How a simulated vendor limits: the kind of its window, its burst, how it rounds Retry-After.

    window = Window(kind="sliding", requests=50, seconds=1.0)
    meter = window.meter()
    verdict = meter.ask(now)  # served, or how long until it would be
    window.ideal(600)         # no client on earth is quicker

All of it is pure: instants are arguments, in seconds.
"""

import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

from simulators.window_meters import SLACK, Fixed, Gcra, Meter, Sliding

Kind = Literal["gcra", "fixed", "sliding"]
Rounding = Literal["ceil", "exact", "date"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """`requests` per `seconds`, counted in one of three ways.

    `kind`: see `window_meters`. `burst`: how many are served at once after a pause; only a gcra
    has one of its own (by default `requests`, a bucket full to the brim).
    `rounding` of the wait that is told: `ceil` whole seconds, rounded up; `date` an instant on a
    whole second, rounded up; `exact` decimals of a second, which RFC 9110 does not allow.
    ValueError for what can't be.
    """

    kind: Kind = "gcra"
    requests: int = 50
    seconds: float = 1.0
    burst: int | None = None
    rounding: Rounding = "ceil"

    def __post_init__(self) -> None:
        for name, value, known in (
            ("kind", self.kind, get_args(Kind)),
            ("rounding", self.rounding, get_args(Rounding)),
        ):
            if value not in known:
                raise ValueError(f"{name} {value!r} is none of {', '.join(known)}")
        if self.burst is not None and self.kind != "gcra":
            raise ValueError(f"a {self.kind} window has no burst but its requests; leave it out")
        counts: dict[str, Any] = {"requests": self.requests, "burst": self.at_once}
        for name, count in counts.items():
            if not isinstance(count, int) or count < 1:
                raise ValueError(f"{name} must be a whole number of at least 1, not {count!r}")
        seconds: Any = self.seconds
        if not isinstance(seconds, int | float) or not 0 < seconds < math.inf:
            raise ValueError(f"seconds must be a number above 0, not {seconds!r}")

    @property
    def at_once(self) -> int:
        """How many are served at once after a long pause."""
        return self.requests if self.burst is None else self.burst

    @property
    def interval(self) -> float:
        """Seconds from one request to the next at an even pace."""
        return self.seconds / self.requests

    def meter(self) -> Meter:
        """A fresh state, for one key."""
        if self.kind == "gcra":
            return Gcra(burst=self.at_once, interval=self.interval)
        shape = Fixed if self.kind == "fixed" else Sliding
        return shape(requests=self.requests, seconds=self.seconds)

    def told(self, wait: float, *, now: float) -> float:
        """The wait as the vendor says it: never shorter; `now` matters to a date only."""
        return rounded(wait, self.rounding, now=now)

    def ideal(self, jobs: int) -> float:
        """The least seconds from the first of `jobs` requests to the last, all of them served.

        For a client that knows the window and loses no time. gcra: (jobs - burst) · interval;
        fixed and sliding: a burst at the start of each window, (⌈jobs / requests⌉ - 1) · seconds.
        """
        if jobs <= self.at_once:
            return 0.0
        if self.kind == "gcra":
            return (jobs - self.at_once) * self.interval
        return (math.ceil(jobs / self.requests) - 1) * self.seconds

    def ideal_obeying(self, jobs: int, *, start: float = 0.0) -> float:
        """The same for a client that learns from refusals only, and obeys them.

        It asks as fast as it can until it is refused, and again when the time that it was told
        has passed. fixed and sliding: each wait is told(seconds) and frees `requests`. gcra: with
        the fraction b of a slot left over (0 ≤ b < 1) it waits W = told((1 - b) · interval) and
        finds min(burst, b + W / interval) slots, of which the whole ones are used.
        `start` is the server's clock at the first request; only told dates depend on it. Who
        measures these against a Date header, which has no parts of a second, waits up to a second
        longer each time.
        """
        waited, left, free = 0.0, jobs - self.at_once, 0.0
        while left > 0:
            if self.kind == "gcra":
                wait = self.told((1 - free) * self.interval, now=start + waited)
                free = min(self.at_once, free + wait / self.interval)
            else:
                wait, free = self.told(self.seconds, now=start + waited), float(self.requests)
            waited += wait
            whole = int(free + SLACK / self.interval)
            left, free = left - whole, max(0.0, free - whole)
        return waited


def rounded(wait: float, rounding: Rounding, *, now: float) -> float:
    """The wait in seconds as it is told, see `Window`; `now` is the clock that makes the dates."""
    # What is above a whole number by less than a clock can show is that number.
    if rounding == "exact":
        return math.ceil(wait * 1e6 - SLACK) / 1e6
    if rounding == "ceil":
        return float(math.ceil(wait - SLACK / 2))
    return max(0.0, math.ceil(now + wait - SLACK / 2) - now)
