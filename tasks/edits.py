"""What a person changed stays theirs: before a landed point of a finished day is written over, it
is read.

A value that none of our sendings can have made is a person's edit, a point that is gone was
deleted by one. Such a day is frozen: shown, told once, and left alone from then on. Today goes on
without a read; who wants to keep today's value pins the day.
"""

from collections.abc import Sequence

import structlog

import clients
from db import feeds, notices, sendings
from db.names import dashed
from db.stored import StoredPoint
from tasks import holdings, jobs
from tasks.beeminder import Access
from tasks.comparison import same
from tasks.jobs import Batch, Job
from tasks.runtime import Runtime

log = structlog.get_logger(__name__)


def respect(
    rt: Runtime, batch: Batch, job: Job, access: Access, points: Sequence[StoredPoint]
) -> list[StoredPoint]:
    """Those of these points that may be written; the days of the others are frozen.

    Raises the tree of `clients.errors`, `DeferredError` and `FencedError`.
    """
    been = [
        point
        for point in points
        if point.daystamp and (point.landed_value is not None or point.sent_value is not None)
    ]
    over = jobs.over(rt, batch, job, {point.daystamp or "" for point in been})
    asked = [point for point in been if point.daystamp in over]
    if not asked:
        return list(points)
    since = min(point.daystamp or "" for point in asked)
    there = holdings.ours(access, job.goal.slug, since=since)
    with rt.ledger.read() as session:
        ours = sendings.unanswered(session, [point.id or 0 for point in asked])
    frozen: dict[int, tuple[str, clients.Datapoint | None]] = {}
    for point in asked:
        how = _changed(point, there.get(point.requestid), ours.get(point.id or 0, set()))
        if how == "edited" and job.feed.options.get("on_edit") == "source":
            continue
        if how is not None:
            frozen[point.id or 0] = (how, there.get(point.requestid))
    if frozen:
        _freeze(rt, batch, job, asked, frozen)
    return [point for point in points if point.id not in frozen]


def _changed(point: StoredPoint, there: clients.Datapoint | None, sent: set[float]) -> str | None:
    if there is None:
        return None if point.landed_value is None else "deleted"
    ours = sent | {value for value in (point.landed_value, point.sent_value) if value is not None}
    return None if any(same(there.value, value) for value in ours) else "edited"


def _freeze(
    rt: Runtime,
    batch: Batch,
    job: Job,
    points: Sequence[StoredPoint],
    frozen: dict[int, tuple[str, clients.Datapoint | None]],
) -> None:
    now = rt.clock.now()
    with rt.ledger.write() as session:
        feeds.hold(session, job.held, now)
        for point in points:
            if point.id not in frozen:
                continue
            how, there = frozen[point.id]
            why = _words(point, how, there)
            sendings.freeze(
                session,
                point_id=point.id,
                how=how,
                there=None if there is None else there.value,
                why=why,
            )
            notices.raise_(
                session,
                user_id=batch.user.id or 0,
                subject=f"feed:{job.held.feed_id}",
                kind=how,
                key=point.daystamp or point.requestid,
                message=why,
                now=now,
            )
    log.warning("day.frozen", feed=job.held.feed_id, points=len(frozen))


def _words(point: StoredPoint, how: str, there: clients.Datapoint | None) -> str:
    day = dashed(point.daystamp or "")
    if there is None:
        return f"{day}: the datapoint was {how} at Beeminder and stays so"
    return (
        f"{day}: the datapoint was {how} at Beeminder to {there.value:.12g} and is left so; "
        f"Waggle would send {point.value:.12g}"
    )
