"""How much runs at once in a process, and how one piece of work gets it for itself."""

import contextlib
import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator

from db.feeds import LEASE_SECONDS
from db.states import Lane

HELD_AT_MOST_SECONDS = 180.0  # a thread that hangs for longer loses its lease after all
HUNG_SECONDS = HELD_AT_MOST_SECONDS + LEASE_SECONDS
EMPTY_WITHIN_SECONDS = 30.0  # so long scheduled work stays out for an empty process, at first
CALLBACKS_OUT_SECONDS = 3.0  # and callbacks, at its end
CALLBACKS_IN_SECONDS = 60.0  # from one such moment to the next
ALONE_SECONDS = 6.0  # others may come in after that, whatever the one who was alone does


class Slots:
    """How many tasks of each lane may run at once in this process.

    At most half of the slots run `bulk`, and two are kept from `default` as well: scheduled work
    that hangs never stands in the way of a callback.

    A task may also wish for all of them, to be `alone`. Nobody waits for that: from the wish on
    nobody new comes in, and whoever leaves last may ask whether they are alone.
    """

    def __init__(self, total: int, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.total = total
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._entered: dict[object, tuple[Lane, float]] = {}
        self._wished_until = -math.inf
        self._wish_again_at = -math.inf
        self._patience = EMPTY_WITHIN_SECONDS
        self._shut_at = -math.inf
        self._alone_until = -math.inf
        self._limits = {
            Lane.URGENT: total,
            Lane.DEFAULT: max(1, total - 2),
            Lane.BULK: max(1, total // 2),
        }

    @property
    def busy(self) -> int:
        """Slots in use."""
        return len(self._entered)

    @contextlib.contextmanager
    def enter(self, lane: Lane) -> Iterator[bool]:
        """Take a slot for the block; False (and no slot) when the lane has all it may have."""
        token = object()
        with self._lock:
            running = Counter(other for other, _ in self._entered.values())
            # Each limit counts everything that is not more urgent than its lane, and whoever comes
            # in keeps to the limits of the more urgent lanes as well.
            free = not self._kept_out(lane) and all(
                sum(count for other, count in running.items() if other >= level) < limit
                for level, limit in self._limits.items()
                if level <= lane
            )
            if free:
                self._entered[token] = (lane, self._monotonic())
        try:
            yield free
        finally:
            with self._lock:
                self._entered.pop(token, None)

    def _kept_out(self, lane: Lane) -> bool:
        now = self._monotonic()
        if now < self._alone_until:
            return True
        if now >= self._wished_until or lane > Lane.URGENT:
            return now < self._wished_until
        if any(other > Lane.URGENT for other in self._at_work()):
            return False  # a callback waits for callbacks only, and not for long
        if now >= self._shut_at + CALLBACKS_IN_SECONDS:
            self._shut_at = now
        return now < self._shut_at + CALLBACKS_OUT_SECONDS

    @property
    def wished(self) -> bool:
        """Does somebody wish to be alone? Then whoever is at work comes to an end."""
        return self._monotonic() < self._wished_until

    def wish(self) -> float:
        """Keep others out from now on, callbacks at the very end; the wish ends by itself.

        Returns after how many seconds. 0.0: it would be in vain, since somebody has been here for
        long, or one was, just now. Each that was in vain makes the next one last twice as long,
        until it outlasts whatever is not taken for hung: where tasks are long, suspects have their
        turn too.
        """
        with self._lock:
            now = self._monotonic()
            if now < self._wish_again_at:
                return 0.0
            seconds = self._patience
            self._patience = min(2 * seconds, HUNG_SECONDS)  # until somebody is alone
            if self._at_work(since=now - seconds):
                self._wish_again_at = now + EMPTY_WITHIN_SECONDS
                return 0.0
            self._wished_until = now + seconds
            self._wish_again_at = self._wished_until + EMPTY_WITHIN_SECONDS
            return seconds

    @contextlib.contextmanager
    def alone(self) -> Iterator[bool]:
        """Have the process to oneself, as was wished; False while somebody is at work.

        A thread that hangs is not: its lease was given up. After `ALONE_SECONDS` others come in.
        """
        token = object()
        with self._lock:
            granted = self.wished and not self._at_work()
            if granted:
                now = self._monotonic()
                self._wished_until, self._alone_until = -math.inf, now + ALONE_SECONDS
                self._wish_again_at = self._shut_at = -math.inf
                self._patience = EMPTY_WITHIN_SECONDS
                self._entered[token] = (Lane.DEFAULT, now)
        try:
            yield granted
        finally:
            with self._lock:
                if self._entered.pop(token, None) is not None:
                    self._alone_until = -math.inf

    def _at_work(self, *, since: float = math.inf) -> list[Lane]:
        """The lanes of those who are here, since then at the latest, and do not hang."""
        hung = self._monotonic() - HUNG_SECONDS
        return [lane for lane, came in self._entered.values() if hung < came <= since]
