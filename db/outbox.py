"""The outbox: one row per datapoint we are responsible for, for ever.

A row is what Beeminder should hold (`content_hash`) and what we know it holds (`landed_hash`).
While the two differ the row is `pending`; between a push and its answer nothing is known to be
there. Rows are written by the holder of the feed's lease.
"""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import bindparam, exists, select, update
from sqlmodel import Session, col
from sqlmodel import select as select_rows

from db import stored
from db.models_points import Datapoint, Sending
from db.once import Once
from db.states import DatapointState
from db.stored import AnyPoint, StoredPoint


class Action(StrEnum):
    """What is done about a point: written, kept back until a person lets it pass, or nothing."""

    SEND = "send"
    HOLD = "hold"
    LEAVE = "leave"


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A datapoint that should be at Beeminder.

    `daystamp` is the day it counts for; one with a `timestamp` (UTC seconds) is sent with that.
    """

    requestid: str
    value: float
    comment: str
    daystamp: str
    timestamp: int | None = None

    @property
    def content_hash(self) -> str:
        """Equal content has equal hashes; an unchanged point is not sent at all."""
        day = self.daystamp if self.timestamp is None else None
        content = f"{day}|{self.timestamp}|{self.value!r}|{self.comment}"
        return hashlib.sha256(content.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Judged:
    """A point and what is done about it; `why` for what is not sent."""

    point: Point
    action: Action = Action.SEND
    why: str | None = None


# Named once: to make a statement costs more than to ask with it, and each sync asks.
_PENDING = Once(
    select(*stored.POINT)
    .where(
        col(Datapoint.feed_id) == bindparam("of_feed"),
        col(Datapoint.state) == DatapointState.PENDING,
    )
    .order_by(col(Datapoint.daystamp), col(Datapoint.timestamp), col(Datapoint.id))
)


def taken_back(row: AnyPoint) -> dict[str, Any]:
    """What changes when nothing new is wanted: what is known to be there stays, what was never sent
    is withdrawn.
    """
    stays: dict[str, Any] = {
        "value": row.value,
        "content_hash": row.content_hash,
        "state": row.state,
        "held_at": None,
        "error": row.error,
    }
    if row.landed_hash is not None and row.landed_value is not None:
        there = {"value": row.landed_value, "content_hash": row.landed_hash}
        return stays | there | {"state": DatapointState.LANDED.value, "error": None}
    if row.sent_value is None:
        return stays | {"state": DatapointState.WITHDRAWN.value, "content_hash": ""}
    # One of two values is there, and nobody knows which: sending the last one again tells.
    again = {"value": row.sent_value, "content_hash": _content_of(row, row.sent_value).content_hash}
    return stays | again | {"state": DatapointState.PENDING.value, "error": None}


def take_back(row: Datapoint) -> None:
    """The same, done to a row."""
    for name, value in taken_back(row).items():
        setattr(row, name, value)


def _content_of(row: AnyPoint, value: float) -> Point:
    return Point(
        requestid=row.requestid,
        value=value,
        comment=row.comment,
        daystamp=row.daystamp or "",
        timestamp=row.timestamp,
    )


def pending(session: Session, feed_id: int) -> list[StoredPoint]:
    """What this feed has to push, oldest day first, postponed or not.

    A sync that left postponed points out would call the feed fresh without them.
    """
    return stored.points(session, _PENDING, {"of_feed": feed_id})


def unanswered(session: Session, feed_id: int) -> list[Datapoint]:
    """What this feed has at Beeminder, or is about to have there, after a push without an answer.

    These alone: a feed may have many thousand points.
    """
    lost = exists().where(
        col(Sending.datapoint_id) == col(Datapoint.id), col(Sending.answered_at).is_(None)
    )
    return list(
        session.exec(
            select_rows(Datapoint).where(
                col(Datapoint.feed_id) == feed_id,
                col(Datapoint.state).in_((DatapointState.LANDED, DatapointState.PENDING)),
                lost,
            )
        )
    )


def postpone(session: Session, ids: Collection[int], *, due_at: float, error: str) -> None:
    """Not now: if no sync comes before, these points are pushed again at `due_at`."""
    session.connection().execute(
        update(Datapoint)
        .where(col(Datapoint.id).in_(ids), col(Datapoint.state) == DatapointState.PENDING)
        .values(due_at=due_at, error=error)
    )


def repair(session: Session, *, point_id: int, now: float) -> None:
    """Beeminder holds something else than the ledger says: push the row again."""
    session.connection().execute(
        update(Datapoint)
        .where(col(Datapoint.id) == point_id)
        .values(state=DatapointState.PENDING.value, landed_hash=None, due_at=now)
    )


def withdraw(session: Session, feed_ids: Collection[int]) -> int:
    """Nothing of these feeds is to be pushed any more, until a later sync finds it again."""
    changed = session.connection().execute(
        update(Datapoint)
        .where(
            col(Datapoint.feed_id).in_(feed_ids),
            col(Datapoint.state).in_((DatapointState.PENDING, DatapointState.HELD)),
        )
        .values(state=DatapointState.WITHDRAWN.value, content_hash="")
    )
    return changed.rowcount
