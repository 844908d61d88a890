"""Errands that nobody will end any more, and those that ended long ago."""

from typing import Any

from sqlalchemy import Float, and_, bindparam, func, or_, select, update
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import Session, col

from db import retention
from db.errands import MOST_TRIES
from db.models_pages import Errand
from db.once import Once
from db.states import ErrandState

GIVEN_UP = "nobody has come to it in two minutes: does a worker run? Try again"
KILLED = "the worker died each time that it was tried; try again, and if it stays tell the operator"


def any_over(session: Session, now: float) -> bool:
    """Is there one to give up?"""
    return _ANY_OVER.ask(session, {"now": now}).first() is not None


def give_up(session: Session, now: float) -> int:
    """End what was not done in time, or died too often; how many that were."""
    died = and_(col(Errand.lease_owner).is_not(None), col(Errand.attempts) >= MOST_TRIES)
    gone = 0
    for where, error in (
        (and_(_over(now), died), KILLED),
        (_over(now), func.coalesce(col(Errand.error), GIVEN_UP)),
    ):
        changed = session.connection().execute(
            update(Errand)
            .where(where)
            .values(
                state=ErrandState.FAILED.value,
                error=error,
                ended_at=now,
                lease_owner=None,
                lease_until=0.0,
                epoch=col(Errand.epoch) + 1,
            )
        )
        gone += changed.rowcount
    return gone


def forget(session: Session, ended_before: float) -> int:
    """Delete some of those that ended before then; how many that were."""
    ended = col(Errand.state) != ErrandState.WAITING.value
    return retention.some(session, Errand, and_(ended, col(Errand.ended_at) < ended_before))


def _over(now: float) -> ColumnElement[bool]:
    """What nobody will end any more: too old, or tried too often, and not under way."""
    return and_(
        col(Errand.state) == ErrandState.WAITING.value,
        or_(col(Errand.ends_at) <= now, col(Errand.attempts) >= MOST_TRIES),
        col(Errand.lease_until) <= now,
    )


# Named once: each sweep asks.
_NOW: Any = bindparam("now", type_=Float())
_ANY_OVER = Once(select(col(Errand.id)).where(_over(_NOW)).limit(1))
