"""What the receiver reads from the ledger to show it."""

import math
from enum import StrEnum

from sqlalchemy import func, select
from sqlalchemy.orm import Mapped
from sqlmodel import Session, col

from db import workers
from db.models import Datapoint, Event, Feed, Worker
from db.states import DatapointState, EventState


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


def last_progress(session: Session, now: float) -> float:
    """Seconds since a feed was synced, or since a worker that lives was started."""
    synced = session.connection().execute(select(func.max(col(Feed.last_synced_at))))
    started = session.connection().execute(
        select(func.max(col(Worker.started_at))).where(
            col(Worker.seen_at) > now - workers.ALIVE_SECONDS
        )
    )
    known = [at for at in (synced.scalar_one(), started.scalar_one()) if at is not None]
    return max(0.0, now - max(known)) if known else math.inf
