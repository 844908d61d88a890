"""Several workers at once by a clock that moves only while all of them wait."""

import dataclasses
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from db.states import Lane
from tasks import deliver, sync
from tasks.limits import Quota
from tasks.metrics import bemserver
from tasks.providers import Provider
from tasks.runtime import Runtime
from tests.world import NOON, ManualClock

BEAT = 1.0  # seconds of sleep after which a worker renews its leases
IDLE = 0.3  # between two looks for work


class CrowdClock(ManualClock):
    """Moves to the next instant at which a sleeper wakes, as soon as everybody sleeps.

    Outside of `crowd` it is a clock like any other: sleeping moves it.
    """

    def __init__(self, at: float = NOON) -> None:
        super().__init__(at)
        self._turn = threading.Condition()
        self._members = 0
        self._wakes: list[float] = []
        self._here = threading.local()

    @contextmanager
    def crowd(self, members: int) -> Iterator[None]:
        """So many threads share it in this block; each of them calls `leave` at its end."""
        self._members = members
        yield
        self._members = 0

    def sleep(self, seconds: float) -> None:
        """Wait until everybody else has waited as long; leases are renewed meanwhile."""
        if not self._members:
            super().sleep(seconds)
            return
        wake = self.at + max(0.0, seconds)
        while self.at < wake:
            self._sleep_until(min(wake, self.at + BEAT))
            self._here.beat()

    def _sleep_until(self, wake: float) -> None:
        with self._turn:
            self._wakes.append(wake)
            self._move()
            while self.at < wake:
                if not self._turn.wait(30):
                    message = "somebody neither sleeps nor ends"
                    raise RuntimeError(message)

    def come(self, beat: Callable[[], object]) -> None:
        """A thread that takes part, and what renews its leases."""
        self._here.beat = beat

    def leave(self) -> None:
        """One thread less: it is done."""
        with self._turn:
            self._members -= 1
            self._move()

    def _move(self) -> None:
        if self._members and len(self._wakes) == self._members:
            self.at = min(self._wakes)
            self._wakes = [wake for wake in self._wakes if wake > self.at]
            self._turn.notify_all()


def work(rt: Runtime, until: float, done: Callable[[], bool]) -> None:
    """What a thread of a worker does until all is done, or it is that late by its clock."""
    while rt.clock.now() < until:
        if not (sync.run(rt, Lane.BULK) or deliver.run(rt)):
            if done():
                break
            rt.clock.sleep(IDLE)


def counted_by(*quotas: Quota) -> dict[str, Provider]:
    """The table of providers, in which a BEMServer counts requests like this."""

    class Settings(bemserver.Settings):
        """Those of a BEMServer behind a proxy that limits."""

        def quotas(self) -> tuple[Quota, ...]:
            """What it counts by."""
            return quotas

    known = dataclasses.replace(bemserver.PROVIDER, settings=Settings)
    return {known.name: known}


def together(
    clock: CrowdClock, runtimes: Sequence[Runtime], seconds: float, done: Callable[[], bool]
) -> None:
    """All of these at once until all is done, or for so long by their clock."""
    until, failures = clock.now() + seconds, []

    def run(rt: Runtime) -> None:
        clock.come(rt.heartbeat)
        try:
            work(rt, until, done)
        except Exception as error:  # noqa: BLE001 -- raised again below
            failures.append(error)
        finally:
            clock.leave()

    with clock.crowd(len(runtimes)):
        threads = [threading.Thread(target=run, args=(rt,), daemon=True) for rt in runtimes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(100)
            assert not thread.is_alive(), "a worker hangs"
    if failures:
        raise failures[0]
