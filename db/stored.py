"""Days and points as a sync reads them: plain rows, which cost a fifth of what entities cost.

They have the names and the values of the columns, and nobody changes one: what is to be written
goes by statements of its own (`db.recording`, `db.sendings`).
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlmodel import Session, col

from db.models_points import Datapoint, Day
from db.once import Once


class StoredDay(NamedTuple):
    """What a decision has to know of a row of `Day`."""

    daystamp: str
    starts_at: float
    ends_at: float
    value: float | None
    unit: str | None
    pinned: bool
    seen_at: float | None


class StoredPoint(NamedTuple):
    """A row of `Datapoint`."""

    id: int
    goal_id: int
    feed_id: int
    requestid: str
    daystamp: str | None
    timestamp: int | None
    value: float
    comment: str
    content_hash: str
    landed_hash: str | None
    landed_value: float | None
    sent_value: float | None
    approved_hash: str | None
    dropped_hash: str | None
    frozen: str | None
    held_at: float | None
    state: str
    beeminder_id: str | None
    attempts: int
    due_at: float
    error: str | None
    created_at: float
    sent_at: float | None
    landed_at: float | None


AnyPoint = Datapoint | StoredPoint

DAY = tuple(col(getattr(Day, name)) for name in StoredDay._fields)
POINT = tuple(col(getattr(Datapoint, name)) for name in StoredPoint._fields)
"""What to select for one."""


def days(session: Session, asked: Once, params: Mapping[str, Any]) -> list[StoredDay]:
    """The days that this selects."""
    return [StoredDay._make(row) for row in asked.ask(session, params)]


def points(session: Session, asked: Once, params: Mapping[str, Any]) -> list[StoredPoint]:
    """The points that this selects."""
    return [StoredPoint._make(row) for row in asked.ask(session, params)]


def point_of(row: Datapoint) -> StoredPoint:
    """The same of an entity that may not be stored yet."""
    return StoredPoint._make(getattr(row, name) for name in StoredPoint._fields)
