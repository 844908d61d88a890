"""The hands that carry a plan out: each fault is begun and ended at its time."""

import contextlib
import heapq
import itertools
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tests.blackbox.link import Link
from tests.chaos.clocks import WrongClock
from tests.chaos.keeper import Keeper
from tests.chaos.plan import Fault
from tests.chaos.servers import Broker, Postgres, Server

LINKS_ONLY = ("cut", "blackhole")
SERVERS = ("database", "broker")
PAGE = 4096  # bytes


@dataclass(slots=True)
class Done:
    """A fault as it was: UTC seconds. `whom` is the very process that was chosen."""

    fault: Fault
    whom: str
    began: float
    ended: float


@dataclass(slots=True)
class Hands:
    """What they can reach. `disk` is the small file system that may be full."""

    keeper: Keeper
    links: dict[str, Link]
    clocks: Sequence[WrongClock]
    database: Postgres | None = None
    broker: Broker | None = None
    disk: Path | None = None
    done: list[Done] = field(default_factory=list)
    _turns: "itertools.count[int]" = field(default_factory=itertools.count)
    _at_servers: list[Future[None]] = field(default_factory=list)
    _threads: dict[str, ThreadPoolExecutor] = field(
        default_factory=lambda: {name: ThreadPoolExecutor(1) for name in SERVERS}
    )

    def carry_out(self, plan: Sequence[Fault], tell: Callable[[Fault], None]) -> None:
        """All of it, each at its time; ends when the last one has ended.

        What is done to one server is done in a thread of its own, one after the other: it may take
        long to start, and the others are broken all the same.
        """
        began, number = time.monotonic(), itertools.count()
        due: list[tuple[float, int, Callable[[], None]]] = []

        def at(seconds: float, act: Callable[[], None]) -> None:
            heapq.heappush(due, (seconds, next(number), act))

        def begin(fault: Fault) -> None:
            tell(fault)
            done, ends = Done(fault, fault.whom, time.time(), time.time()), []
            self.done.append(done)

            def start() -> None:
                done.began = time.time()
                done.whom, end = self._begin(fault)
                ends.append(end)

            def finish() -> None:
                ends.pop()()
                done.ended = time.time()

            self._do(fault, start)
            at(time.monotonic() - began + fault.lasts, lambda: self._do(fault, finish))

        for fault in plan:
            at(fault.at, lambda fault=fault: begin(fault))
        while due:
            seconds, _, act = heapq.heappop(due)
            time.sleep(max(0.0, began + seconds - time.monotonic()))
            act()
        for server in self._at_servers:
            server.result()

    def _do(self, fault: Fault, act: Callable[[], None]) -> None:
        thread = self._threads.get(fault.whom)
        if thread is None or fault.what in LINKS_ONLY:
            act()
        else:
            self._at_servers.append(thread.submit(act))

    def heal(self) -> None:
        """Whatever is still broken is whole again; clocks stay as they are."""
        self.keeper.go_on()
        for link in self.links.values():
            link.mend()
        for server in self._servers():
            server.thaw()
        self._make_room()

    def _servers(self) -> list[Server]:
        return [server for server in (self.database, self.broker) if server is not None]

    def _begin(self, fault: Fault) -> tuple[str, Callable[[], None]]:
        """Do it; whom it was done to, and what ends it."""
        if fault.what in LINKS_ONLY:
            return self._break_link(fault)
        if fault.what == "fill":
            self._fill_disk()
            return fault.whom, self._make_room
        if fault.whom in SERVERS:
            return self._break_server(fault)
        if fault.what == "jump":
            clock = self.clocks[next(self._turns) % len(self.clocks)]
            clock.set(clock.seconds + fault.size)
            return clock.file.name, _nothing
        name = self._process(fault.whom)
        if fault.what == "freeze":
            self.keeper.stop(name)
            return name, lambda: self.keeper.go_on(name)
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
        if server is self.database:
            self._empty_disk()  # without room it would not start
        (server.crash if fault.what == "crash" else server.stop)()
        server.start()
        return fault.whom, _nothing

    def _process(self, kind: str) -> str:
        names = [name for name in self.keeper.commands if name.startswith(kind)]
        return names[next(self._turns) % len(names)]

    def _fill_disk(self) -> None:
        assert self.disk is not None
        with (self.disk / "filler").open("ab", 0) as filler, contextlib.suppress(OSError):
            # In one call: each write gives the interpreter away, and callers are many.
            room = os.statvfs(self.disk)
            os.posix_fallocate(filler.fileno(), 0, room.f_bavail * room.f_frsize)
            while True:
                filler.write(b"x" * PAGE)

    def _make_room(self) -> None:
        """The disk has room again; a database that gave up for want of it is started."""
        self._empty_disk()
        if self.database is not None:
            self.database.revive()

    def _empty_disk(self) -> None:
        if self.disk is not None:
            (self.disk / "filler").unlink(missing_ok=True)


def _nothing() -> None:
    """There is nothing to undo."""
