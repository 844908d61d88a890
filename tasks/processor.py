"""Whose turn it is to compute in a process: callbacks first, then some of what is scheduled.

A piece of scheduled work that has begun can't be taken back, and goes on in as many threads as
there are slots. So it is done in steps, and between two of them it lets callbacks go first. Nothing
but a lease is held there: no transaction, and no lock of the ledger.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

LATELY_SECONDS = 1.0  # after the last callback nobody is in the way any more
AT_ONCE = 2  # steps, where no callbacks come; one while they do
PATIENCE = 0.25  # seconds: so long a step waits at most, whoever is at work


class Processor:
    """That of one process; used by many threads."""

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._changed = threading.Condition()
        self._called_at = -LATELY_SECONDS
        self._callbacks = 0
        self._computing: set[int] = set()
        self._waiting = 0

    @contextlib.contextmanager
    def callback(self) -> Iterator[None]:
        """A callback is at work in the block."""
        self._called_at = self._monotonic()
        with self._changed:
            self._callbacks += 1
        try:
            yield
        finally:
            with self._changed:
                self._callbacks -= 1
                self._changed.notify()

    @property
    def calm(self) -> bool:
        """Has no callback come lately?"""
        return self._monotonic() - self._called_at >= LATELY_SECONDS

    @property
    def crowded(self) -> bool:
        """Does somebody wait for their next step? Then nobody gets on sooner by one more piece."""
        return self._waiting > 0

    def turn(self, patience: float = PATIENCE, *, computes: bool = True) -> None:
        """Between two steps of scheduled work: wait for one's turn, or for so many seconds.

        `computes`: what follows is a step. Else it is a wait for a vendor, in which others go on.
        """
        me = threading.get_ident()
        with self._changed:
            self._left(me)
            if not self._free():
                self._waiting += 1
                self._changed.wait_for(self._free, timeout=patience)
                self._waiting -= 1
            if computes:
                self._computing.add(me)
            else:
                self._changed.notify()

    def leave(self) -> None:
        """The piece of work of this thread is over."""
        with self._changed:
            self._left(threading.get_ident())

    def _left(self, who: int) -> None:
        if who in self._computing:
            self._computing.discard(who)
            self._changed.notify()

    def _free(self) -> bool:
        if self._callbacks:
            return False
        return len(self._computing) < (AT_ONCE if self.calm else 1)
