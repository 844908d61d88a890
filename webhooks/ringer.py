"""Rings bells after commits, from a thread of its own, so that no answer waits for a broker."""

import threading
from collections.abc import Callable, Iterable

import structlog

from webhooks.metrics import Metrics
from webhooks.solo import SoloThread

log = structlog.get_logger(__name__)

Ring = Callable[[str, str], bool]
Bell = tuple[str, str]  # task, queue


class Ringer:
    """At most one bell of a kind waits; one that is asked for while it is being rung rings again.

    That second one is needed: whoever heard the first may have looked at the ledger before the
    newer commit.
    """

    def __init__(self, ring: Ring, metrics: Metrics) -> None:
        self._ring = ring
        self._metrics = metrics
        self._waiting: set[Bell] = set()
        self._lock = threading.Lock()
        self._failing = False
        self.thread = SoloThread("bells")

    def want(self, bells: Iterable[Bell]) -> None:
        """Have these rung soon; never blocks."""
        with self._lock:
            new = [bell for bell in bells if bell not in self._waiting]
            self._waiting.update(new)
        for bell in new:
            self.thread.do(lambda bell=bell: self._ring_one(bell))  # type: ignore[misc]

    def stop(self) -> None:
        """End the thread after the bells that wait."""
        self.thread.stop()

    def _ring_one(self, bell: Bell) -> None:
        with self._lock:
            self._waiting.discard(bell)
        reached = self._ring(*bell)
        self._metrics.bells.labels("rung" if reached else "failed").inc()
        if reached == self._failing:  # said once when it breaks and once when it is back
            self._failing = not reached
            if reached:
                log.info("bells.back", task=bell[0], queue=bell[1])
            else:
                log.warning("bells.unreachable", task=bell[0], queue=bell[1])
