"""Does work move? What load balancers, the heartbeat and the operator are told, and why not.

A process that answers says nothing: a worker may live and hang, a broker may answer and lose what
it is given, and whoever rings for what is due may be dead. So what is looked at is what comes out:
that somebody sweeps, that every queue has a worker, and that what is due is done. Where nothing is
due, the sweep of each second is what shows that bells are heard.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlmodel import Session, col

from db import claiming_outbox, overdue, runs, tallies, workers
from db.models import Worker
from db.models_runs import Run
from db.overdue import PATIENCE_SECONDS
from db.tallies import Key

LONG_SECONDS = 300.0  # a callback, or what is to be sent, waits no longer, whatever else is done
QUEUES = ("urgent", "default", "bulk")  # which every Waggle has to serve
PROGRESS = "progress"
CRASHES = 2  # workers that died without a word: whoever starts after them gets no time for it


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """What is known, in seconds. `stuck`: why work does not move, in words; () while it does;
    `overdue`: of these, the work that is not done.

    `oldest_due`: since the oldest work that nobody holds could have been done. `sweep`: since the
    last sweep, None where there was none.
    """

    workers: int
    oldest_due: float
    sweep: float | None
    stuck: tuple[str, ...]
    overdue: tuple[str, ...]


def look(session: Session, now: float) -> Movement:
    """How it is now."""
    known = workers.known(session)
    alive = [worker for worker in known if worker.seen_at > now - workers.ALIVE_SECONDS]
    seen = tallies.last(session, Key(tallies.SWEEP))
    sweep = None if seen is None else max(0.0, now - seen.at)
    oldest = overdue.oldest(session, now)
    late = []
    if oldest > PATIENCE_SECONDS and _since_progress(session, known, alive, now) > PATIENCE_SECONDS:
        late.append(f"work has been due for {oldest:.0f} s and nothing is done")
    callback = overdue.urgent(session, now)
    if callback > LONG_SECONDS:
        late.append(f"a callback has been due for {callback:.0f} s")
    if claiming_outbox.any_due(session, now, since=now - LONG_SECONDS):
        late.append(f"datapoints have waited to be sent for more than {LONG_SECONDS:.0f} s")
    if _unfollowed(session, known, now):
        late.append(f"runs have waited to be followed for more than {PATIENCE_SECONDS:.0f} s")
    stuck = (*_nobody(alive), *_not_swept(sweep, known, alive, now), *late)
    return Movement(
        workers=len(alive), oldest_due=oldest, sweep=sweep, stuck=stuck, overdue=tuple(late)
    )


def _nobody(alive: Sequence[Worker]) -> list[str]:
    """Queues that no living worker serves."""
    if not alive:
        return ["no worker is running"]
    served = {queue for worker in alive for queue in worker.queues.split(",")}
    missing = [queue for queue in QUEUES if queue not in served]
    return [f"no worker serves {', '.join(missing)}"] if missing else []


def _not_swept(
    sweep: float | None, known: Sequence[Worker], alive: Sequence[Worker], now: float
) -> list[str]:
    since = min(math.inf if sweep is None else sweep, _since_start(known, alive, now))
    if not alive or since <= PATIENCE_SECONDS:
        return []
    ago = "yet" if sweep is None else f"for {sweep:.0f} s"
    return [f"nobody has looked for due work {ago}: beat is gone, or its bells are lost"]


def _since_progress(
    session: Session, known: Sequence[Worker], alive: Sequence[Worker], now: float
) -> float:
    return min(overdue.since_sync(session, now), _since_start(known, alive, now))


def _since_start(known: Sequence[Worker], alive: Sequence[Worker], now: float) -> float:
    """After a long stop everything is overdue, and a start gets its time; not one after another."""
    if len(known) - len(alive) >= CRASHES:
        return math.inf
    return min((now - worker.started_at for worker in alive), default=math.inf)


def _unfollowed(session: Session, known: Sequence[Worker], now: float) -> bool:
    """Does a run wait for a follower, although there is one, or was until it died?"""
    if not any(PROGRESS in worker.queues.split(",") for worker in known):
        return False  # runs count when they are over
    first = session.connection().execute(select(func.min(col(Run.due_at))).where(runs.free(now)))
    due_at: float | None = first.scalar_one()
    started = min(
        (now - worker.started_at for worker in known if PROGRESS in worker.queues.split(",")),
        default=0.0,
    )
    return due_at is not None and min(now - due_at, started) > PATIENCE_SECONDS
