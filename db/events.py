"""Events that no feed answers, claimed and leased themselves.

A de-authorization, or a callback with a slug that nobody knows: one worker takes it, under a lease
and an epoch, like a feed.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import CursorResult, and_, delete, or_, select, update
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import Session, col

from db.inbox import ENDED
from db.models import Cover, Event
from db.states import EventKind, EventState

LEASE_SECONDS = 10.0
ASKS_FOR_FEEDS = (EventKind.AUTOFETCH, EventKind.REMINDER, EventKind.SYNC)


@dataclass(frozen=True, slots=True)
class EventClaim:
    """A leased event; `epoch` fences off whoever held it before."""

    event: Event
    epoch: int
    owner: str


def claim(
    session: Session, *, kinds: Collection[EventKind], owner: str, now: float
) -> EventClaim | None:
    """Lease the oldest due event of these kinds that no feed answers, or None."""
    due = _due(kinds, now)
    oldest = (
        select(col(Event.id))
        .where(due)
        .order_by(col(Event.due_at))
        .limit(1)
        .with_for_update(skip_locked=True)
        .cte("oldest")  # PostgreSQL would run a subquery once per row, and take several
    )
    row = (
        session.connection()
        .execute(
            update(Event)
            .where(col(Event.id).in_(select(oldest.c.id)), due)
            .values(
                lease_owner=owner,
                lease_until=now + LEASE_SECONDS,
                epoch=col(Event.epoch) + 1,
                attempts=col(Event.attempts) + 1,
            )
            .returning(col(Event.id), col(Event.epoch))
        )
        .one_or_none()
    )
    if row is None:
        return None
    event = session.get_one(Event, row.id, populate_existing=True)
    return EventClaim(event, row.epoch, owner)


def put_back(
    session: Session,
    held: EventClaim,
    *,
    due_at: float,
    error: dict[str, Any] | None = None,
    deferred: bool = False,
) -> bool:
    """Release a claimed event to be tried again at `due_at`; False when it was fenced off."""
    values: dict[str, Any] = {"lease_owner": None, "lease_until": 0.0, "due_at": due_at}
    if deferred:
        values |= {
            "attempts": col(Event.attempts) - 1,
            "deferrals": col(Event.deferrals) + 1,
        }
    if error is not None:
        values["error"] = error
    return _fenced(session, held, values)


def finish_claimed(
    session: Session, held: EventClaim, now: float, *, error: dict[str, Any] | None = None
) -> bool:
    """End a claimed event: done, or failed with `error`; False when it was fenced off."""
    state = EventState.DONE if error is None else EventState.FAILED
    return _fenced(
        session,
        held,
        {
            "state": state.value,
            "finished_at": now,
            "error": error,
            "lease_owner": None,
            "lease_until": 0.0,
        },
    )


def _fenced(session: Session, held: EventClaim, values: dict[str, Any]) -> bool:
    changed: CursorResult[Any] = session.connection().execute(
        update(Event)
        .where(col(Event.id) == held.event.id, col(Event.epoch) == held.epoch)
        .values(**values)
    )
    return changed.rowcount == 1


def any_due(session: Session, kinds: Collection[EventKind], now: float) -> bool:
    """Is there an event of these kinds to claim?"""
    found = session.connection().execute(select(col(Event.id)).where(_due(kinds, now)).limit(1))
    return found.first() is not None


def _due(kinds: Collection[EventKind], now: float) -> ColumnElement[bool]:
    return and_(
        col(Event.kind).in_(kinds),
        col(Event.state) == EventState.RECEIVED,
        col(Event.due_at) <= now,
        col(Event.lease_until) <= now,
        or_(col(Event.kind).not_in(ASKS_FOR_FEEDS), col(Event.epoch) > 0),
    )


def any_older(session: Session, received_before: float) -> bool:
    """Is there an unfinished event that came in before then?"""
    return (
        session.connection()
        .execute(select(col(Event.id)).where(_open_since(received_before)).limit(1))
        .first()
        is not None
    )


def give_up(session: Session, received_before: float, now: float) -> int:
    """Events that could not be finished for so long are dead: shown, and fit to be replayed."""
    old = select(col(Event.id)).where(_open_since(received_before))
    session.connection().execute(
        update(Cover).where(col(Cover.event_id).in_(old)).values(done=True)
    )
    changed = session.connection().execute(
        update(Event)
        .where(_open_since(received_before))
        .values(state=EventState.DEAD.value, finished_at=now, lease_owner=None, lease_until=0.0)
    )
    return changed.rowcount


def _open_since(received_before: float) -> ColumnElement[bool]:
    return and_(
        col(Event.state).in_((EventState.RECEIVED, EventState.WORKING)),
        col(Event.received_at) < received_before,
    )


def forget(session: Session, finished_before: float) -> int:
    """Delete finished events, and what they were covered by, from before then."""
    changed = session.connection().execute(
        delete(Event).where(col(Event.state).in_(ENDED), col(Event.finished_at) < finished_before)
    )
    return changed.rowcount
