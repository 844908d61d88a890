"""Trying events again: each as a new one that says what it replays, so nothing is overwritten."""

from collections.abc import Collection, Sequence

from sqlalchemy import and_, exists, true
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import Session, col
from sqlmodel import select as select_rows

from db import inbox
from db.aliases import alias
from db.models import Event
from db.states import EventKind, EventState

FIT = (EventState.FAILED, EventState.DEAD)
FIT_STATES = [state.value for state in FIT]
_AGAIN = alias(Event)


def replay(
    session: Session, rows: Sequence[Event], now: float, *, request_id: str | None = None
) -> list[inbox.NewEvent]:
    """A new event for each of these, which have ended. The caller rings for their kinds."""
    new = [
        inbox.NewEvent(
            kind=EventKind(row.kind),
            payload=row.payload,
            received_at=now,
            user_id=row.user_id,
            goal_id=row.goal_id,
            replay_of=row.id,
            request_id=request_id,
        )
        for row in rows
    ]
    if new:
        inbox.store(session, new)
    return new


def fit(session: Session, ids: Collection[str], *, user_id: int | None = None) -> list[Event]:
    """Those of these events (of one person) that are worth it, locked, oldest first.

    They have failed or are dead, and no replay of them is on its way or went well: whoever sends a
    form twice has them tried once.
    """
    inbox.lock(session, ids)
    rows = session.exec(
        select_rows(Event)
        .where(
            col(Event.id).in_(ids),
            worth_it(),
            true() if user_id is None else col(Event.user_id) == user_id,
        )
        .order_by(col(Event.id))
        .execution_options(populate_existing=True)
    )
    return list(rows.all())


def worth_it() -> ColumnElement[bool]:
    """Events that ended badly, and of which no replay is on its way or went well."""
    better = exists().where(
        col(_AGAIN.replay_of) == col(Event.id), col(_AGAIN.state).not_in(FIT_STATES)
    )
    return and_(col(Event.state).in_(FIT_STATES), ~better)
