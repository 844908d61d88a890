"""The schedule: bells that may ring late, twice, or from several processes at once."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from celery import Celery, beat

from worker.bells import Bells

SWEEP_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Bell:
    """A task, the lane that it is rung in, and every how many seconds."""

    task: str
    queue: str
    every: float

    @property
    def expires(self) -> float:
        """Seconds after which it is worth nothing: the next one has said the same by then."""
        return max(10.0, 2 * self.every)


BELLS = (
    Bell("sweep", "urgent", SWEEP_SECONDS),
    Bell("refresh_tokens", "default", 30.0),
    Bell("watch", "default", 60.0),
    Bell("canary", "default", 60.0),
    Bell("tidy", "bulk", 60.0),
    Bell("housekeeping", "default", 3600.0),
)


class Scheduler(beat.Scheduler):  # type: ignore[misc] # celery ships no types
    """What Celery's beat asks for its next bell.

    Celery's own compares all of its table at every tick and makes each message anew, which takes
    longer than the sweep that is rung for. It keeps no file, as every bell may ring twice.
    """

    def __init__(
        self,
        app: Celery,
        *,
        bells: Bells,
        clock: Callable[[], float] = time.monotonic,
        **more: Any,
    ) -> None:
        super().__init__(app, **more)
        self._bells = bells
        self._clock = clock
        now = clock()
        self._due_at = {bell: now + bell.every for bell in BELLS}

    def setup_schedule(self) -> None:
        """There is nothing to load."""

    def tick(self, *_: object, **__: object) -> float:
        """Ring what is due; seconds until something is. A tick that comes late rings once."""
        now = self._clock()
        for bell, due_at in self._due_at.items():
            if due_at <= now:
                self._bells.ring(bell.task, bell.queue, expires=bell.expires)
                following = due_at + bell.every
                self._due_at[bell] = following if following > now else now + bell.every
        return max(0.0, min(self._due_at.values()) - self._clock())
