"""Runs that are followed: held by one follower, kept up to date, and ended once.

A follower holds many runs under leases that it renews together. One that is killed loses them ten
seconds later, and whoever takes them over raises the epoch: what the other one writes then is left.
"""

import functools
import json
import operator
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Dialect, Float, bindparam, case, exists, or_, select, update
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import Session, col

from db import feeds
from db.feeds import LEASE_SECONDS
from db.models import Feed
from db.models_runs import Run
from db.once import Once
from db.states import Lane, RunState, Stream


@dataclass(frozen=True, slots=True)
class Held:
    """A run under a lease: its row, whose it is, and what fences it."""

    id: int
    source_id: int
    run_id: str
    project: str | None
    connector: str | None
    pipeline: str | None
    epoch: int
    owner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What is known of a run now; see `db.models_runs.Run`."""

    attempt: int = 1
    state: str = RunState.RUNNING
    rows: float | None = None
    progress: float | None = None
    counters: dict[str, Any] = field(default_factory=dict)
    stream: str = Stream.NONE
    stream_error: str | None = None
    reconnects: int = 0
    error: str | None = None
    seen_at: float | None = None
    started_at: float | None = None


def free(now: float) -> ColumnElement[bool]:
    """Runs that are not over and that nobody follows now."""
    return (
        col(Run.finished_at).is_(None)
        & (col(Run.due_at) <= now)
        & or_(col(Run.lease_owner).is_(None), col(Run.lease_until) <= now)
    )


def any_free(session: Session, now: float) -> bool:
    """Is there a run that nobody follows and somebody should?"""
    return bool(_ANY_FREE.ask(session, {"now": now}).scalar_one())


# Named once: each sweep asks.
_NOW: Any = bindparam("now", type_=Float())
_ANY_FREE = Once(select(exists().where(free(_NOW))))


def claim(session: Session, *, owner: str, now: float, limit: int) -> list[Held]:
    """Take up to so many runs under leases, those that wait longest first."""
    chosen = (
        select(col(Run.id))
        .where(free(now))
        .order_by(col(Run.due_at), col(Run.id))
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("chosen")
    )
    rows = session.connection().execute(
        update(Run)
        .where(col(Run.id).in_(select(chosen.c.id)), free(now))
        .values(lease_owner=owner, lease_until=now + LEASE_SECONDS, epoch=col(Run.epoch) + 1)
        .returning(
            col(Run.id),
            col(Run.source_id),
            col(Run.run_id),
            col(Run.project),
            col(Run.connector),
            col(Run.pipeline),
            col(Run.epoch),
        )
        .execution_options(synchronize_session=False)
    )
    return [Held(*row, owner) for row in rows]  # type: ignore[arg-type] # ids are there


def renew(session: Session, held: Collection[Held], now: float) -> set[int]:
    """Push the end of these leases ahead; the ids of the runs that are still ours.

    One that ended while nobody else took it is ours again.
    """
    if not held:
        return set()
    owner = next(iter(held)).owner
    epochs = {one.id: one.epoch for one in held}
    rows = session.connection().execute(
        update(Run)
        .where(
            col(Run.id).in_(epochs), col(Run.lease_owner) == owner, col(Run.finished_at).is_(None)
        )
        .values(lease_until=now + LEASE_SECONDS)
        .returning(col(Run.id), col(Run.epoch))
        .execution_options(synchronize_session=False)
    )
    return {run_id for run_id, epoch in rows if run_id and epochs[run_id] == epoch}


_MINE = (
    (col(Run.id) == bindparam("of_run"))
    & (col(Run.epoch) == bindparam("at_epoch"))
    & (col(Run.lease_owner) == bindparam("of_owner"))
)


def _by(held: Held) -> dict[str, Any]:
    return {"of_run": held.id, "at_epoch": held.epoch, "of_owner": held.owner}


def keep(session: Session, seen: Sequence[tuple[Held, Seen]]) -> None:
    """Write down how runs stand; of a run that is somebody else's now nothing is written."""
    if not seen:
        return
    rows = [
        _by(held)
        | {
            "new_attempt": now_seen.attempt,
            "new_state": now_seen.state,
            "new_rows": now_seen.rows,
            "new_progress": now_seen.progress,
            "new_counters": json.dumps(now_seen.counters),
            "new_stream": now_seen.stream,
            "new_stream_error": now_seen.stream_error,
            "new_reconnects": now_seen.reconnects,
            "new_error": now_seen.error,
            "new_seen_at": now_seen.seen_at,
            "new_started_at": now_seen.started_at,
        }
        for held, now_seen in sorted(seen, key=lambda one: one[0].id)
    ]
    connection = session.connection()
    statement = _kept_by(connection.dialect)
    if statement.positional:
        ordered = operator.itemgetter(*(statement.positiontup or ()))
        connection.exec_driver_sql(str(statement), [ordered(row) for row in rows])
    else:
        connection.exec_driver_sql(str(statement), rows)


@functools.lru_cache(maxsize=4)
def _kept_by(dialect: Dialect) -> SQLCompiler:
    """The statement in the words of a database.

    A follower of thousands writes all of them each second. Looking at each value of each row again
    would take SQLAlchemy longer than the database needs for all of it.
    """
    return _KEEP.compile(dialect=dialect)


_KEEP = (
    update(Run.__table__)  # type: ignore[attr-defined] # set by SQLModel
    .where(_MINE)
    .values(
        {
            name: bindparam(f"new_{name}", type_=Run.__table__.c[name].type)  # type: ignore[attr-defined]
            for name in (
                "attempt",
                "state",
                "rows",
                "progress",
                "counters",
                "stream",
                "stream_error",
                "reconnects",
                "error",
                "seen_at",
                "started_at",
            )
        }
    )
)


def release(session: Session, held: Collection[Held], *, due_at: float) -> None:
    """Hand runs back that are not over: somebody may follow them from `due_at` on."""
    for one in sorted(held, key=lambda one: one.id):
        session.connection().execute(
            update(Run)
            .where(
                col(Run.id) == one.id,
                col(Run.epoch) == one.epoch,
                col(Run.lease_owner) == one.owner,
            )
            .values(lease_owner=None, lease_until=0.0, due_at=due_at, stream=Stream.NONE)
        )


def finish(session: Session, held: Held, seen: Seen, *, ended_at: float, now: float) -> bool:
    """The run is over, as the source says; what counts its runs is due. False: not ours any more.

    In one transaction, so that no end is written down without its feeds being woken.
    """
    keep(session, [(held, seen)])
    changed = session.connection().execute(
        update(Run)
        .where(
            col(Run.id) == held.id,
            col(Run.epoch) == held.epoch,
            col(Run.lease_owner) == held.owner,
            col(Run.finished_at).is_(None),
        )
        .values(lease_owner=None, lease_until=0.0, finished_at=ended_at, stream=Stream.NONE)
    )
    if changed.rowcount != 1:
        return False
    wake(session, held, now)
    return True


def wake(session: Session, held: Held, now: float) -> list[int]:
    """Feeds that count this run are due now, also if they are being synced; their ids."""
    name, wanted = (
        ("connector", held.connector) if held.connector is not None else ("pipeline", held.pipeline)
    )
    rows = session.connection().execute(
        select(col(Feed.id), col(Feed.params)).where(col(Feed.source_id) == held.source_id)
    )
    ids = sorted(feed_id for feed_id, params in rows if feed_id and params.get(name) == wanted)
    if ids:
        feeds.lock(session, col(Feed.id).in_(ids))
        session.connection().execute(
            update(Feed)
            .where(col(Feed.id).in_(ids))
            .values(
                due_at=case((col(Feed.due_at) > now, now), else_=col(Feed.due_at)),
                lane=case(
                    (col(Feed.lane) > Lane.DEFAULT, Lane.DEFAULT.value), else_=col(Feed.lane)
                ),
                asked=col(Feed.asked) + 1,
            )
        )
    return ids
