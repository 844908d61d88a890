"""How much of a processor scheduled work may take from callbacks.

Slots keep work that waits for vendors out of each other's way; this keeps work that computes out of
the way of callbacks. While none come scheduled work takes all that there is. While they do, each
piece of it is paid for with twenty times as much time in which none begins, and between two of its
steps it waits until callbacks are through (`tasks.processor`). Where that is too little for what is
scheduled, it has half of a processor after ten minutes: callbacks that are answered a little later
are better than feeds that are not looked at in time.
"""

import threading
import time
from collections.abc import Callable

from tasks.processor import LATELY_SECONDS, Processor

SHARE = 0.05  # of one processor, in each process
LATE_SHARE = 0.5  # the same where scheduled work
LATE_SECONDS = 600.0  # has been held back for so long without a pause
FIRST_SECONDS = 0.02  # what a piece is taken to cost until one is over
LONGEST_SECONDS = 10.0  # is waited for one that took very long
LEARNS = 0.25  # so much the last one counts for what the next is taken to cost


class Allowance:
    """What scheduled work of one process may take; used by many threads.

    A piece is paid for when it begins, by what they cost of late, and settled when it is over.
    """

    def __init__(
        self, processor: Processor, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._processor = processor
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._waits = threading.Lock()
        self._free_at = 0.0
        self._kept_up_at = monotonic()
        self._costs = FIRST_SECONDS

    def begin(self, wait: Callable[[float], bool]) -> bool:
        """Wait until a piece of scheduled work may begin.

        `wait` so many seconds, or less: True if the process stops. False then, and where somebody
        else waits already, for this or for the next step: the others need not keep their slots.
        """
        if self._processor.crowded:
            return False
        if self._turn() == 0.0:
            if not self._waits.locked():
                self._kept_up_at = self._monotonic()
            return True
        if not self._waits.acquire(blocking=False):
            return False
        try:
            while (seconds := self._turn()) > 0.0:
                if wait(seconds):
                    return False
            return True
        finally:
            self._waits.release()

    def _turn(self) -> float:
        """0.0: one has begun. Else in so many seconds, or when no more callbacks come."""
        with self._lock:
            now = self._monotonic()
            if not self._processor.calm and self._free_at > now:
                return min(self._free_at - now, LATELY_SECONDS)
            self._free_at = now + self._costs / self._share(now)
            return 0.0

    def took(self, seconds: float) -> None:
        """A piece is over, and has computed for so long."""
        with self._lock:
            now = self._monotonic()
            owed = max(self._free_at, now) + (seconds - self._costs) / self._share(now)
            self._free_at = min(max(owed, now), now + LONGEST_SECONDS)
            self._costs += LEARNS * (seconds - self._costs)

    def _share(self, now: float) -> float:
        return SHARE if now - self._kept_up_at < LATE_SECONDS else LATE_SHARE
