"""What a task needs of its process, built after the fork and handed in.

Nothing here is global: a test builds its own runtime with its own clock, ledger and servers.
"""

import contextlib
import math
import random
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import httpx
import structlog

from clients.errors import AuthFailed, Permanent
from db import feeds
from db.clock import Clock
from db.engine import AWAY, Ledger
from db.vault import Vault
from tasks.allowance import Allowance
from tasks.closings import Closings
from tasks.processor import Processor
from tasks.providers import Connection, Provider
from tasks.quick_gates import QuickGates
from tasks.slots import HELD_AT_MOST_SECONDS, Slots
from tasks.tally import Tally
from tasks.tracing import NoTracer, Tracer

log = structlog.get_logger(__name__)

Ring = Callable[[str, str], bool]
"""Rings one bell: (task, queue) -> was the broker reached. Never raises, never waits for long."""


class Stopping(Exception):  # noqa: N818 -- a state of the process, not an error
    """The process is going down: what is half-done is handed back."""


class UnreadableSecretError(Permanent):
    """A stored secret was written under a key that is not set."""

    default_reason = "unreadable_secret"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The settings that decide what tasks do.

    `private_addresses`: sources may have some that are not public; `loopback_addresses`: or else
    those of this machine. `public_url`: where the pages are, without a slash at its end. `notify`,
    `heartbeat_url` and `callback_secret` are secrets. `canary`: USER/GOAL.
    """

    beeminder_url: str = "https://www.beeminder.com"
    beeminder_rate: float = 10.0
    app_name: str | None = None
    hold_seconds: float = 25.0
    lookback_days: int = 2
    corrections: str = "careful"
    retention_days: int = 400
    progress_runs: int = 1000
    private_addresses: bool = True
    loopback_addresses: bool = True
    public_url: str = ""
    notify: tuple[str, ...] = field(default=(), repr=False)
    heartbeat_url: str | None = field(default=None, repr=False)
    canary: str | None = None
    callback_secret: str | None = field(default=None, repr=False)


class Leases:
    """The feeds that threads of this process hold, for the heartbeat to renew.

    And those that they let go of because the ledger was away, for it to hand back: leases that end
    by themselves say that a worker died of that work.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[int, float] = {}
        self._left: set[int] = set()

    @contextlib.contextmanager
    def holding(self, feed_ids: Collection[int], since: float) -> Iterator[None]:
        """Keep these leases alive during the block."""
        with self._lock:
            self._held.update(dict.fromkeys(feed_ids, since))
            self._left.difference_update(feed_ids)
        try:
            yield
        except AWAY:
            # Those that had ended well are no longer leased, and handing them back changes nothing.
            self._left.update(self._ours(feed_ids, since))
            raise
        finally:
            self.drop(self._ours(feed_ids, since))

    def _ours(self, feed_ids: Collection[int], since: float) -> list[int]:
        """Without those that another thread has claimed meanwhile."""
        with self._lock:
            return [feed_id for feed_id in feed_ids if self._held.get(feed_id, since) == since]

    def drop(self, feed_ids: Collection[int]) -> None:
        """Work on these has ended."""
        with self._lock:
            for feed_id in feed_ids:
                self._held.pop(feed_id, None)

    def renewable(self, now: float) -> list[int]:
        """Those to renew; a thread that has held one for too long is not believed any more."""
        with self._lock:
            return [
                feed_id
                for feed_id, since in self._held.items()
                if now - since < HELD_AT_MOST_SECONDS
            ]

    def left(self) -> list[int]:
        """Those to hand back."""
        with self._lock:
            return sorted(self._left)

    def handed_back(self, feed_ids: Collection[int]) -> None:
        """The ledger has these."""
        with self._lock:
            self._left.difference_update(feed_ids)


class Desk(Protocol):
    """What follows runs in this process; see `tasks.live.loop`."""

    @property
    def room(self) -> int:
        """How many more runs may be taken."""

    def take(self, held: Sequence[Any]) -> None:
        """Follow these runs from now on."""

    def stop(self) -> None:
        """Give back what is not over."""


@dataclass(slots=True)
class LoginTurn:
    """Whose turn it is to log in to a source, and how the last turn ended if it was refused.

    `version`: of the tokens when it began; other credentials make it another one.
    """

    lock: threading.Lock = field(default_factory=threading.Lock)
    ended: int = 0
    refused: AuthFailed | None = None
    version: int = 0


@dataclass(slots=True, kw_only=True)
class Runtime:
    """One process's tools. `owner` names its leases; `trace` is told of every step.

    `sources_http`: the client for addresses that people give, where it is another one than ours.
    `clean` takes out of a text what logs may not show; `tellers`: how many may send messages.
    `public_http`: the one for addresses that were typed on a page by somebody who is no operator.
    """

    ledger: Ledger
    vault: Vault
    clock: Clock
    http: httpx.Client
    ring: Ring
    owner: str
    providers: Mapping[str, Provider]
    options: Options = field(default_factory=Options)
    sources_http: httpx.Client | None = None
    public_http: httpx.Client | None = None
    desk: "Desk | None" = None
    slots: Slots = field(default_factory=lambda: Slots(8))
    processor: Processor = field(default_factory=Processor)
    allowance: Allowance = field(init=False)
    leases: Leases = field(default_factory=Leases)
    closings: Closings = field(default_factory=Closings)
    quick_gates: QuickGates = field(default_factory=QuickGates)
    tally: Tally = field(default_factory=Tally)
    tracer: Tracer = field(default_factory=NoTracer)
    stopping: threading.Event = field(default_factory=threading.Event)
    rng: random.Random = field(default_factory=random.SystemRandom)
    clean: Callable[[str], str] = lambda text: text
    tellers: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(2))
    trace: Callable[[str], None] = lambda _step: None
    connections: dict[tuple[int, str], Connection] = field(default_factory=dict)
    accounts: dict[tuple[int, str], str] = field(default_factory=dict)
    logins: dict[int, LoginTurn] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    buried_at: float = 0.0  # when it was looked for leases that ended by themselves
    away_at: float = -math.inf  # when the ledger did not answer last
    turn_until: float = 0.0  # of trying suspects, as the ledger has it

    def __post_init__(self) -> None:
        """The allowance is of this process's processor."""
        self.allowance = Allowance(self.processor)

    def was_away(self) -> None:
        """The ledger did not answer just now."""
        with contextlib.suppress(*AWAY):  # the clock may want to ask it at this very moment
            self.away_at = self.clock.now()

    def step(self, name: str) -> None:
        """A boundary between two steps: where a process may be killed, and where it may stop."""
        self.trace(name)
        if self.stopping.is_set():
            raise Stopping

    def heartbeat(self) -> float:
        """Renew what this process holds, and hand back what it let go of when the ledger was away.

        And write down which gates were closed then, before others find them open. Called every few
        seconds by one thread. Returns the instant from which leases count: what is said to be
        renewed then, was.
        """
        now = self.clock.now()
        held = self.leases.renewable(now)
        if held:
            with self.ledger.write(durable=False) as session:
                feeds.renew(session, owner=self.owner, feed_ids=held, now=now)
        self.closings.write_late(self.ledger, now)
        left = self.leases.left()
        if left:
            with self.ledger.write() as session:
                feeds.hand_back_some(session, owner=self.owner, feed_ids=left)
            self.leases.handed_back(left)
        return now
