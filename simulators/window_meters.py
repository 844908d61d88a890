"""What a window remembers of one key, and how it decides: three ways in which vendors count.

Instants and waits are seconds. A refused request uses nothing up, and time never goes back.
"""

from collections import deque
from dataclasses import dataclass
from typing import Protocol

# Instants are floats near 2e9 s, which step by a quarter of a microsecond: who waits as long as
# it was told must not be refused for a rounding error.
SLACK = 1e-6


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a request is served, and what comes next.

    `wait`: seconds until one would be served, 0 if this one was. `remaining`: how many more would
    be served now. `reset`: seconds until there are more than `remaining`, or the window ends.
    """

    served: bool
    wait: float
    remaining: int
    reset: float


class Meter(Protocol):
    """The state of one window."""

    def ask(self, now: float) -> Verdict:
        """Decide about one request that arrives now, and count it if it is served."""


class _Clocked:
    """Time since the first request: small numbers, which add up without losing digits."""

    def __init__(self) -> None:
        self._began: float | None = None
        self._latest = 0.0

    def _since(self, now: float) -> float:
        if self._began is None:
            self._began = now
        self._latest = max(self._latest, now - self._began)
        return self._latest


class Gcra(_Clocked):
    """`burst` at once after a pause, then one every `interval` seconds: a bucket that fills."""

    def __init__(self, *, burst: int, interval: float) -> None:
        super().__init__()
        self._burst, self._interval = burst, interval
        self._drained = 0.0  # when everything served so far is paid for

    def ask(self, now: float) -> Verdict:
        """See `Meter`."""
        at = self._since(now)
        drained = max(self._drained, at)
        wait = drained - (self._burst - 1) * self._interval - at
        if wait > SLACK:
            return Verdict(served=False, wait=wait, remaining=0, reset=wait)
        self._drained = drained + self._interval
        owed = self._drained - at
        remaining = max(0, int(self._burst - owed / self._interval + SLACK))
        reset = owed - (self._burst - remaining - 1) * self._interval
        return Verdict(served=True, wait=0.0, remaining=remaining, reset=max(0.0, reset))


class Fixed(_Clocked):
    """`requests` in each window; a window begins with the first request after the last one."""

    def __init__(self, *, requests: int, seconds: float) -> None:
        super().__init__()
        self._requests, self._seconds = requests, seconds
        self._ends = 0.0
        self._used = 0

    def ask(self, now: float) -> Verdict:
        """See `Meter`."""
        at = self._since(now)
        if at >= self._ends - SLACK:
            self._ends, self._used = at + self._seconds, 0
        left = self._ends - at
        if self._used >= self._requests:
            return Verdict(served=False, wait=left, remaining=0, reset=left)
        self._used += 1
        return Verdict(served=True, wait=0.0, remaining=self._requests - self._used, reset=left)


class Sliding(_Clocked):
    """`requests` in any span of `seconds`: each counts until it is that old."""

    def __init__(self, *, requests: int, seconds: float) -> None:
        super().__init__()
        self._requests, self._seconds = requests, seconds
        self._served: deque[float] = deque()

    def ask(self, now: float) -> Verdict:
        """See `Meter`."""
        at = self._since(now)
        while self._served and at >= self._served[0] + self._seconds - SLACK:
            self._served.popleft()
        if len(self._served) >= self._requests:
            left = self._served[0] + self._seconds - at
            return Verdict(served=False, wait=left, remaining=0, reset=left)
        self._served.append(at)
        reset = self._served[0] + self._seconds - at
        remaining = self._requests - len(self._served)
        return Verdict(served=True, wait=0.0, remaining=remaining, reset=reset)
