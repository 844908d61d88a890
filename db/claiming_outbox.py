"""Claiming feeds that have datapoints to push although their own time has not come."""

from functools import cache
from typing import Any

from sqlalchemy import Float, and_, bindparam, select
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import Session, col

from db import breakers, resting, spans, taking
from db.feeds import BATCH, Claim
from db.models import Feed
from db.models_points import Datapoint
from db.once import Once
from db.states import DatapointState, Work
from db.taking import NOW


def claim(
    session: Session, *, owner: str, now: float, limit: int = BATCH, alone: bool = False
) -> list[Claim]:
    """Lease feeds that have datapoints to push although their own time has not come."""
    waiting = _waiting(now, alone=alone)
    return taking.take_of_one(
        session, waiting, owner, now, limit, work=Work.PUSH, at_source=False, alone=alone
    )


def any_due(
    session: Session, now: float, *, alone: bool = False, since: float | None = None
) -> bool:
    """Is there such a feed? `since`: one whose datapoints have waited since then."""
    given = {"due_by": now if since is None else since}
    if _ANY_PENDING.ask(session, given).first() is None:
        return False  # as nearly always
    return _any_due(alone=alone).ask(session, given | {"now": now}).first() is not None


_DUE_BY: Any = bindparam("due_by", type_=Float())
_ANY_PENDING = Once(
    select(col(Datapoint.id))
    .where(
        col(Datapoint.state) == DatapointState.PENDING, spans.past(col(Datapoint.due_at), _DUE_BY)
    )
    .limit(1)
)


@cache
def _any_due(*, alone: bool) -> Once:
    waiting = and_(
        _waiting(NOW, alone=alone, due_by=_DUE_BY),
        ~breakers.blocked(NOW, at_source=False),
    )
    return Once(select(col(Feed.id)).where(waiting).limit(1))


def _waiting(now: float, *, alone: bool, due_by: Any = None) -> ColumnElement[bool]:  # noqa: ANN401 -- a time or a place for one
    # Not the other way round: of all feeds few have any.
    to_push = select(col(Datapoint.feed_id)).where(
        col(Datapoint.state) == DatapointState.PENDING,
        spans.past(col(Datapoint.due_at), now if due_by is None else due_by),
    )
    return and_(
        resting.running(),
        taking.free(now),
        col(Feed.due_at) > now,  # feeds that are due themselves push what waits when they sync
        col(Feed.restored).is_(False),  # only a sync looks first
        col(Feed.id).in_(to_push),
        taking.clear(now, at_source=False, alone=alone),
    )
