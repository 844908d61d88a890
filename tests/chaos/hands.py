"""The hands that carry a plan out: each fault is begun and ended at its time."""

import contextlib
import heapq
import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.blackbox.link import Link
from tests.chaos.clocks import WrongClock
from tests.chaos.keeper import Keeper
from tests.chaos.plan import Fault
from tests.chaos.servers import Broker, Postgres, Server


@dataclass(slots=True)
class Done:
    """A fault as it was: UTC seconds. `whom` is the very process that was chosen."""

    fault: Fault
    whom: str
    began: float
    ended: float


@dataclass(slots=True)
class Hands:
    """What they can reach. `disk` is the small file system of the home, where there is one."""

    keeper: Keeper
    links: dict[str, Link]
    clocks: Sequence[WrongClock]
    database: Postgres | None = None
    broker: Broker | None = None
    disk: Path | None = None
    done: list[Done] = field(default_factory=list)
    _turns: "itertools.count[int]" = field(default_factory=itertools.count)

    def carry_out(self, plan: Sequence[Fault], tell: Callable[[Fault], None]) -> None:
        """All of it, each at its time; ends when the last one has ended."""
        began, number = time.monotonic(), itertools.count()
        due: list[tuple[float, int, Callable[[], None]]] = []

        def at(seconds: float, act: Callable[[], None]) -> None:
            heapq.heappush(due, (seconds, next(number), act))

        def begin(fault: Fault) -> None:
            tell(fault)
            now = time.time()
            whom, end = self._begin(fault)
            done = Done(fault, whom, now, now)
            self.done.append(done)

            def finish() -> None:
                end()
                done.ended = time.time()

            at(time.monotonic() - began + fault.lasts, finish)

        for fault in plan:
            at(fault.at, lambda fault=fault: begin(fault))
        while due:
            seconds, _, act = heapq.heappop(due)
            time.sleep(max(0.0, began + seconds - time.monotonic()))
            act()

    def heal(self) -> None:
        """Whatever is still broken is whole again; clocks stay as they are."""
        self.keeper.go_on()
        for link in self.links.values():
            link.mend()
        for server in self._servers():
            server.thaw()
        self._empty_disk()

    def _servers(self) -> list[Server]:
        return [server for server in (self.database, self.broker) if server is not None]

    def _begin(self, fault: Fault) -> tuple[str, Callable[[], None]]:
        """Do it; whom it was done to, and what ends it."""
        if fault.whom in self.links and fault.what in ("cut", "blackhole"):
            return self._break_link(fault)
        if fault.whom in ("database", "broker"):
            return self._break_server(fault)
        if fault.what == "jump":
            clock = self.clocks[next(self._turns) % len(self.clocks)]
            clock.set(clock.seconds + fault.size)
            return clock.file.name, _nothing
        if fault.what == "fill":
            self._fill_disk()
            return "disk", self._empty_disk
        name = self._process(fault.whom)
        if fault.what == "freeze":
            self.keeper.stop(name)
            return name, self.keeper.go_on
        self.keeper.kill(name)
        return name, _nothing

    def _break_link(self, fault: Fault) -> tuple[str, Callable[[], None]]:
        link = self.links[fault.whom]
        (link.cut if fault.what == "cut" else link.freeze)()
        return fault.whom, lambda: link.mend(reset=not fault.size)

    def _break_server(self, fault: Fault) -> tuple[str, Callable[[], None]]:
        server = self.database if fault.whom == "database" else self.broker
        assert server is not None
        if fault.what == "freeze":
            server.freeze()
            return fault.whom, server.thaw
        server.thaw()
        (server.crash if fault.what == "crash" else server.stop)()
        server.start()
        return fault.whom, _nothing

    def _process(self, kind: str) -> str:
        names = [name for name in self.keeper.commands if name.startswith(kind)]
        return names[next(self._turns) % len(names)]

    def _fill_disk(self) -> None:
        assert self.disk is not None
        with contextlib.suppress(OSError), (self.disk / "filler").open("ab", 0) as filler:
            while True:
                filler.write(b"x" * 65536)
        with contextlib.suppress(OSError), (self.disk / "filler").open("ab", 0) as filler:
            while True:
                filler.write(b"x")

    def _empty_disk(self) -> None:
        if self.disk is not None:
            (self.disk / "filler").unlink(missing_ok=True)


def _nothing() -> None:
    """There is nothing to undo."""
