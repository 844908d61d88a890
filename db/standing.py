"""How everything stands, in figures, for whoever keeps Waggle running. Only reads.

A fixed number of questions, each answered from an index, however many rows there are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, case, func, or_, select
from sqlmodel import Session, col
from sqlmodel import select as select_rows

from db import held_up, inbox, overdue, quotas, resting, workers
from db.models import Event, Feed, Source, User, Worker
from db.models_limits import Breaker, Quota
from db.models_points import Datapoint, Sending
from db.states import DatapointState, EventState, Lane, SourceState, UserState

DAY = 86400.0
OPEN = (EventState.RECEIVED, EventState.WORKING)
ENDED_BADLY = (EventState.FAILED, EventState.DEAD)
WAITING = (DatapointState.PENDING, DatapointState.HELD, DatapointState.REJECTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The figures. `inbox`: events that are open, however old, and those of the last day that
    ended, by state. `outbox`: datapoints that wait or were refused, by state; `sent`: tries of the
    last day. `progressed_at`: the last sync of any feed. `links` and `logins` were refused.
    """

    inbox: dict[str, int]
    outbox: dict[str, int]
    sent: int
    oldest_due: float
    progressed_at: float | None
    workers: int
    slots: int
    busy: int
    gates: int
    breakers: int
    links: int
    logins: int
    suspects: int
    set_aside: int


@dataclass(frozen=True, slots=True)
class Queue:
    """What is due of one lane and nobody holds: how much, and for how many seconds the oldest."""

    lane: str
    due: int
    oldest: float


def standing(session: Session, now: float) -> Standing:
    """All figures as they are now."""
    alive = (
        session.connection()
        .execute(
            select(
                func.count(),
                func.coalesce(func.sum(col(Worker.slots)), 0),
                func.coalesce(func.sum(col(Worker.busy)), 0),
            ).where(col(Worker.seen_at) > now - workers.ALIVE_SECONDS)
        )
        .one()
    )
    suspects, set_aside = _dangerous(session)
    shut = or_(col(Quota.closed_until) > now, ~quotas.is_proven())
    return Standing(
        inbox=_inbox(session, now),
        outbox=_by(session, col(Datapoint.state), WAITING),
        sent=_count(session, select(func.count()).where(col(Sending.sent_at) > now - DAY)),
        oldest_due=overdue.oldest(session, now),
        progressed_at=session.connection()
        .execute(select(func.max(col(Feed.last_synced_at))))
        .scalar_one(),
        workers=alive[0],
        slots=alive[1],
        busy=alive[2],
        gates=_count(
            session,
            select(func.count()).select_from(Quota).where(col(Quota.vendor) != held_up.OURS, shut),
        ),
        breakers=_count(
            session,
            select(func.count()).select_from(Breaker).where(col(Breaker.opened_at).is_not(None)),
        ),
        links=_count(
            session,
            select(func.count())
            .select_from(User)
            .where(col(User.state) == UserState.REAUTHORIZE.value),
        ),
        logins=_count(
            session,
            select(func.count())
            .select_from(Source)
            .where(col(Source.state) == SourceState.REAUTHORIZE.value),
        ),
        suspects=suspects,
        set_aside=set_aside,
    )


def queues(session: Session, now: float) -> list[Queue]:
    """What is due, lane by lane; what no feed answers yet is `inbox`."""
    rows = session.connection().execute(
        select(col(Feed.lane), func.count(), func.min(col(Feed.due_at)))
        .where(resting.claimable(), col(Feed.due_at) <= now, col(Feed.lease_until) <= now)
        .group_by(col(Feed.lane))
    )
    found = {lane: (count, now - first) for lane, count, first in rows}
    new = (
        session.connection()
        .execute(
            select(func.count(), func.coalesce(func.min(col(Event.due_at)), now)).where(
                col(Event.state) == EventState.RECEIVED.value,
                col(Event.due_at) <= now,
                col(Event.lease_until) <= now,
            )
        )
        .one()
    )
    lanes = [Queue(lane.name.lower(), *found.get(lane.value, (0, 0.0))) for lane in Lane]
    return [Queue("inbox", new[0], now - new[1]), *lanes]


def known_workers(session: Session, *, limit: int) -> list[Worker]:
    """Workers that have said that they live, the last heard of first."""
    asked = select_rows(Worker).order_by(col(Worker.seen_at).desc(), col(Worker.name)).limit(limit)
    return list(session.exec(asked.execution_options(populate_existing=True)))


def _inbox(session: Session, now: float) -> dict[str, int]:
    """Whoever asks every few seconds can't count all that was ever done."""
    recent = col(Event.id) >= inbox.earliest_id(now - DAY)
    return _by(session, col(Event.state), OPEN) | _by(
        session, col(Event.state), (EventState.DONE, *ENDED_BADLY), recent
    )


def _dangerous(session: Session) -> tuple[int, int]:
    aside = resting.aside()
    suspect = and_(col(Feed.suspect).is_(True), resting.claimable())
    row = (
        session.connection()
        .execute(
            select(
                func.coalesce(func.sum(case((aside, 0), else_=1)), 0),
                func.coalesce(func.sum(case((aside, 1), else_=0)), 0),
            ).where(or_(aside, suspect))
        )
        .one()
    )
    return int(row[0]), int(row[1])


def _by(session: Session, state: Any, states: Sequence[str], *where: Any) -> dict[str, int]:  # noqa: ANN401 -- a column and conditions
    rows = session.connection().execute(
        select(state, func.count()).where(state.in_(states), *where).group_by(state)
    )
    return {str(known): 0 for known in states} | {row[0]: row[1] for row in rows}


def _count(session: Session, asked: Any) -> int:  # noqa: ANN401 -- a select of one number
    return int(session.connection().execute(asked).scalar_one())
