"""The Celery tasks: thin shells, named by what they do, that carry nothing.

A bell says that there is work of its kind. Its task claims the best due rows until none are left or
its slice ends, and rings again if there is more, so that one long backlog does not keep a slot.
`bind` hands the process's runtime in after the fork.
"""

import contextlib
import time
from collections.abc import Callable

import structlog
from celery import Task, shared_task

from db.engine import AWAY
from db.states import Lane
from tasks import (
    backfill,
    canary,
    datasource_change,
    deauthorize,
    deliver,
    errands,
    housekeeping,
    reconcile,
    refresh,
    runs,
    suspects,
    sweep,
    sync,
    telling,
    tidy,
    watch,
)
from tasks.runtime import Runtime

log = structlog.get_logger(__name__)

SLICE_SECONDS = 5.0
_bound: list[Runtime] = []


def bind(rt: Runtime | None) -> None:
    """Hand this process's runtime to its tasks; None takes it back."""
    _bound[:] = [] if rt is None else [rt]


def runtime() -> Runtime:
    """The runtime of this process."""
    if not _bound:
        message = "no runtime: tasks run only in a worker that has started"
        raise RuntimeError(message)
    return _bound[0]


def drain(rt: Runtime, lane: Lane, once: Callable[[], bool], *, task: str) -> None:
    """Work while there is work, for one slice of time, in a slot of this lane if one is free.

    What is scheduled also keeps to its share of the processor while callbacks come.

    Without a free slot nothing is lost: whoever holds the slots looks for more before they go. When
    the slots are wanted for a suspect, which runs alone, whoever leaves last tries it.
    """
    more = False
    with rt.slots.enter(lane) as free:
        if free:
            ends_at = time.monotonic() + SLICE_SECONDS
            more = True
            while more and not rt.stopping.is_set() and time.monotonic() < ends_at:
                if lane is Lane.BULK and not rt.allowance.begin(rt.stopping.wait):
                    more = False  # somebody else waits, and goes on
                    break
                began = time.thread_time()
                with rt.processor.callback() if lane is Lane.URGENT else contextlib.nullcontext():
                    try:
                        more = once()
                    finally:
                        rt.processor.leave()
                if lane is Lane.BULK:
                    rt.allowance.took(time.thread_time() - began)
                if rt.slots.wished:
                    break
    if more and not rt.stopping.is_set():
        rt.ring(task, lane.name.lower())
    if rt.slots.wished:
        suspects.run_alone(rt)


class LedgerTask(Task):  # type: ignore[misc] # celery ships no types
    """A task that ends with one line while the ledger is away: the next sweep rings again."""

    abstract = True

    def __call__(self, *args: object, **kwargs: object) -> None:
        """Do the work."""
        try:
            super().__call__(*args, **kwargs)
        except AWAY as error:
            runtime().was_away()
            # Its first line: what follows repeats the statement.
            reason = str(error).partition("\n")[0]
            log.warning("ledger.away", task=self.name, error=type(error).__name__, reason=reason)


@shared_task(name="waggle.sync", base=LedgerTask, bind=True)  # type: ignore[untyped-decorator]
def sync_due(self: Task) -> None:
    """Sync due feeds; the queue that the bell came from says how urgent."""
    rt = runtime()
    queue = self.request.delivery_info["routing_key"]
    lane = Lane[queue.rpartition(".")[2].upper()]
    drain(rt, lane, sync.pieces(rt, lane), task="sync")


@shared_task(name="waggle.push", base=LedgerTask)  # type: ignore[untyped-decorator]
def push_pending() -> None:
    """Push what waits in the outbox."""
    rt = runtime()
    drain(rt, Lane.DEFAULT, lambda: deliver.run(rt), task="push")


@shared_task(name="waggle.deauthorize", base=LedgerTask)  # type: ignore[untyped-decorator]
def deauthorize_revoked() -> None:
    """Confirm and carry out de-authorizations."""
    rt = runtime()
    drain(rt, Lane.DEFAULT, lambda: deauthorize.run(rt), task="deauthorize")


@shared_task(name="waggle.backfill", base=LedgerTask)  # type: ignore[untyped-decorator]
def backfill_due() -> None:
    """Read past days again that somebody asked for."""
    rt = runtime()
    drain(rt, Lane.BULK, lambda: backfill.run(rt), task="backfill")


@shared_task(name="waggle.datasource", base=LedgerTask)  # type: ignore[untyped-decorator]
def change_datasources() -> None:
    """Become the data source of goals, and give that back."""
    rt = runtime()
    drain(rt, Lane.DEFAULT, lambda: datasource_change.run(rt), task="datasource")


@shared_task(name="waggle.reconcile", base=LedgerTask)  # type: ignore[untyped-decorator]
def reconcile_overdue() -> None:
    """Compare goals with what Beeminder holds, once a day each."""
    rt = runtime()
    drain(rt, Lane.BULK, lambda: reconcile.run(rt), task="reconcile")


@shared_task(name="waggle.errands", base=LedgerTask)  # type: ignore[untyped-decorator]
def do_errands() -> None:
    """Do what pages wait for; never in all slots, so that callbacks come before them."""
    rt = runtime()
    drain(rt, Lane.DEFAULT, lambda: errands.run(rt), task=errands.TASK)


@shared_task(name="waggle.suspects", base=LedgerTask)  # type: ignore[untyped-decorator]
def try_suspects() -> None:
    """Try work again at which a worker has died, with the process to itself."""
    suspects.begin(runtime())


@shared_task(name="waggle.refresh_tokens", base=LedgerTask)  # type: ignore[untyped-decorator]
def refresh_tokens() -> None:
    """Renew tokens of sources in use before they end."""
    rt = runtime()
    with rt.slots.enter(Lane.DEFAULT) as free:
        if free:
            refresh.run(rt)


@shared_task(name="waggle.sweep", base=LedgerTask)  # type: ignore[untyped-decorator]
def sweep_ledger() -> None:
    """Ring for everything that is due."""
    sweep.run(runtime())


@shared_task(name="waggle.discover", base=LedgerTask)  # type: ignore[untyped-decorator]
def discover_runs() -> None:
    """Look for runs that run at the sources whose turn it is."""
    runs.discover(runtime())


@shared_task(name="waggle.follow", base=LedgerTask)  # type: ignore[untyped-decorator]
def follow_runs() -> None:
    """Take runs that nobody follows; they are followed on when this has ended."""
    runs.follow(runtime())


@shared_task(name="waggle.tell", base=LedgerTask)  # type: ignore[untyped-decorator]
def tell_people() -> None:
    """Tell people, and the operator, what is new."""
    rt = runtime()
    drain(rt, Lane.BULK, lambda: telling.run(rt), task="tell")


@shared_task(name="waggle.watch", base=LedgerTask)  # type: ignore[untyped-decorator]
def watch_over() -> None:
    """Look whether work moves, say so to whoever listens, and find what is to be told."""
    rt = runtime()
    with rt.slots.enter(Lane.DEFAULT) as free:
        if free:
            watch.run(rt)


@shared_task(name="waggle.canary", base=LedgerTask)  # type: ignore[untyped-decorator]
def send_canary() -> None:
    """Call ourselves back, as Beeminder would."""
    canary.begin(runtime())


@shared_task(name="waggle.housekeeping", base=LedgerTask)  # type: ignore[untyped-decorator]
def keep_house() -> None:
    """Keep the ledger small."""
    housekeeping.run(runtime())


@shared_task(name="waggle.tidy", base=LedgerTask)  # type: ignore[untyped-decorator]
def tidy_tables() -> None:
    """See to tables that nobody looks after."""
    rt = runtime()
    with rt.slots.enter(Lane.BULK) as free:
        if free:
            tidy.run(rt)
