"""What the receiver reads from the ledger to show it."""

from enum import StrEnum

from sqlalchemy import case, func, select
from sqlalchemy.orm import Mapped
from sqlmodel import Session, col

from db.models import Datapoint, DatapointState, Event, EventState, Feed, FeedState

SYNCED = (FeedState.ACTIVE, FeedState.FAILING)


def inbox_by_state(session: Session) -> dict[str, int]:
    """How many events are in each state, zeros included."""
    return _by_state(session, col(Event.state), EventState)


def outbox_by_state(session: Session) -> dict[str, int]:
    """How many datapoints are in each state, zeros included."""
    return _by_state(session, col(Datapoint.state), DatapointState)


def _by_state(session: Session, state: Mapped[str], every: type[StrEnum]) -> dict[str, int]:
    found = dict.fromkeys([known.value for known in every], 0)
    for name, count in session.connection().execute(select(state, func.count()).group_by(state)):
        found[name] = count
    return found


def oldest_due(session: Session, now: float) -> float:
    """Seconds that the oldest due work has waited without anybody working on it; 0.0 for none."""
    event = session.connection().execute(
        select(func.min(col(Event.due_at))).where(
            col(Event.state) == EventState.RECEIVED,
            col(Event.due_at) <= now,
            col(Event.lease_until) <= now,
        )
    )
    # A feed that was never synced is due since 1970, but it waits only since it was made.
    since = case(
        (col(Feed.due_at) < col(Feed.created_at), col(Feed.created_at)), else_=col(Feed.due_at)
    )
    feed = session.connection().execute(
        select(func.min(since)).where(
            col(Feed.state).in_(SYNCED), col(Feed.due_at) <= now, col(Feed.lease_until) <= now
        )
    )
    due = [at for at in (event.scalar_one(), feed.scalar_one()) if at is not None]
    return max(0.0, now - min(due)) if due else 0.0
