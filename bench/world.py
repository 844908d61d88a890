"""The vendor and the Beeminder that both sides use, on real sockets in this process."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from bench.vendor import LATENCY, Vendor, late
from simulators.beeminder import Beeminder
from simulators.server import LocalServer
from worker import interpreter

USER = "bench"
TOKEN = "token-of-the-bench"  # noqa: S105 -- made up, for loopback only


@dataclass(slots=True)
class World:
    """A goal for each of the `accounts`, with `feeds` feeds: job n is one of goal n // `feeds`."""

    accounts: int
    feeds: int
    vendor: Vendor
    beeminder: Beeminder
    vendor_url: str = ""
    beeminder_url: str = ""
    _seen: int = field(default=0)

    @property
    def jobs(self) -> int:
        """How many there are."""
        return self.accounts * self.feeds

    def goal(self, account: int) -> str:
        """The slug of an account's goal."""
        return f"goal{account}"

    def begin(self) -> None:
        """What lands from now on counts."""
        with self.beeminder.state.lock:
            self._seen = len(self.beeminder.state.history)

    def landed(self, jobs: range) -> tuple[int, float | None]:
        """How many of these jobs (of whole goals) have written since; when the last one did."""
        with self.beeminder.state.lock:
            changes = self.beeminder.state.history[self._seen :]
        goals = {self.goal(job // self.feeds) for job in jobs}
        first: dict[str, float] = {}
        for change in changes:
            if change.slug in goals and change.requestid is not None:
                first.setdefault(f"{change.slug} {change.requestid}", change.at)
        return len(first), max(first.values(), default=None)


def noon_zone() -> str:
    """Where it is about noon: no measurement meets the end of a day."""
    return f"Etc/GMT{datetime.now(UTC).hour - 12:+d}"  # POSIX counts westward


@contextlib.contextmanager
def running(*, accounts: int, feeds: int, latency: float = LATENCY) -> Iterator[World]:
    """Serve both for the block."""
    vendor, beeminder = Vendor(clock=time.time, latency=latency), Beeminder()
    world = World(accounts, feeds, vendor, beeminder)
    state = beeminder.state
    state.add_user(USER, timezone=noon_zone(), token=TOKEN)
    for account in range(accounts):
        state.add_goal(USER, world.goal(account), kyoom=True, aggday="sum")
    interpreter.be_on_time()  # a vendor that stalls would seem to be asked by many at once
    with LocalServer(vendor.app) as near, LocalServer(late(beeminder.limiter, latency)) as far:
        world.vendor_url, world.beeminder_url = near.url, far.url
        yield world
