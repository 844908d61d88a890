"""The outbox: one row per datapoint we are responsible for, for ever.

A row is what Beeminder should hold (`content_hash`) and what we know it holds (`landed_hash`).
While the two differ the row is `pending`; between a push and its answer nothing is known to be
there. Rows are written by the holder of the feed's lease.
"""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import bindparam, exists, update
from sqlmodel import Session, col
from sqlmodel import select as select_rows

from db.models_points import Datapoint, Day, Sending
from db.states import DatapointState


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


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenDay:
    """What the source said of one Beeminder day; `value` None: it had nothing to say.

    `keeps`: the requestids that the day came to; what else of it was never sent is withdrawn.
    """

    daystamp: str
    starts_at: float
    ends_at: float
    value: float | None
    note: str | None = None
    unit: str | None = None
    keeps: frozenset[str] = frozenset()


# Named once: to make a statement costs more than to ask with it, and each sync asks.
_DAYS_OF = select_rows(Day).where(
    col(Day.feed_id) == bindparam("of_feed"),
    col(Day.daystamp).in_(bindparam("stamps", expanding=True)),
)
_WAITING_OF = select_rows(Datapoint).where(
    col(Datapoint.feed_id) == bindparam("of_feed"),
    col(Datapoint.daystamp).in_(bindparam("stamps", expanding=True)),
    col(Datapoint.state).in_((DatapointState.PENDING, DatapointState.HELD)),
)
_NAMED = select_rows(Datapoint).where(
    col(Datapoint.goal_id) == bindparam("of_goal"),
    col(Datapoint.requestid).in_(bindparam("ids", expanding=True)),
)
_PENDING = (
    select_rows(Datapoint)
    .where(
        col(Datapoint.feed_id) == bindparam("of_feed"),
        col(Datapoint.state) == DatapointState.PENDING,
    )
    .order_by(col(Datapoint.daystamp), col(Datapoint.timestamp), col(Datapoint.id))
)


def record_days(
    session: Session,
    feed_id: int,
    days: Sequence[SeenDay],
    now: float,
    *,
    epoch: int | None = None,
) -> None:
    """Remember what was read. A day that was finished when it was last read keeps its bounds.

    A value that the source took back before it was sent is not sent; what is at Beeminder stays.
    """
    stamps = [day.daystamp for day in days]
    known = {
        day.daystamp: day
        for day in session.exec(_DAYS_OF, params={"of_feed": feed_id, "stamps": stamps})
    }
    for day in days:
        row = known.get(day.daystamp) or Day(
            feed_id=feed_id, daystamp=day.daystamp, starts_at=day.starts_at, ends_at=day.ends_at
        )
        if row.ends_at > now:  # the person may travel, or move a deadline, before it ends
            row.starts_at, row.ends_at = day.starts_at, day.ends_at
        row.value, row.note, row.unit = day.value, day.note, day.unit
        row.seen_at, row.epoch = now, epoch
        session.add(row)
    session.flush()
    kept = {requestid for day in days for requestid in day.keeps}
    for point in session.exec(_WAITING_OF, params={"of_feed": feed_id, "stamps": stamps}):
        if point.requestid not in kept:
            take_back(point)
            session.add(point)
    session.flush()


def take_back(row: Datapoint) -> None:
    """Nothing new is wanted: what is known to be there stays, what was never sent is withdrawn."""
    if row.landed_hash is not None and row.landed_value is not None:
        row.value, row.content_hash = row.landed_value, row.landed_hash
        row.state, row.held_at, row.error = DatapointState.LANDED, None, None
    elif row.sent_value is None:
        row.state, row.held_at, row.content_hash = DatapointState.WITHDRAWN, None, ""
    else:
        # One of two values is there, and nobody knows which: sending the last one again tells.
        row.value, row.held_at, row.error = row.sent_value, None, None
        row.content_hash = _content_of(row).content_hash
        row.state = DatapointState.PENDING


def _content_of(row: Datapoint) -> Point:
    return Point(
        requestid=row.requestid,
        value=row.value,
        comment=row.comment,
        daystamp=row.daystamp or "",
        timestamp=row.timestamp,
    )


def record_points(
    session: Session, *, goal_id: int, feed_id: int, judged: Sequence[Judged], now: float
) -> int:
    """Put changed points into the outbox, leave the others alone; returns how many changed.

    A refused point is tried again: the goal may have been restarted.
    """
    known = {
        row.requestid: row
        for row in session.exec(
            _NAMED, params={"of_goal": goal_id, "ids": [one.point.requestid for one in judged]}
        )
    }
    changed = 0
    for one in judged:
        row = known.get(one.point.requestid)
        if one.action == Action.LEAVE:
            if row is not None and row.state == DatapointState.HELD:
                take_back(row)
                session.add(row)
            continue
        state = DatapointState.PENDING if one.action == Action.SEND else DatapointState.HELD
        if row is None:
            row = Datapoint(
                goal_id=goal_id,
                feed_id=feed_id,
                requestid=one.point.requestid,
                value=one.point.value,
                content_hash="",
                created_at=now,
            )
        same = row.content_hash == one.point.content_hash
        if same and row.state in (state, DatapointState.LANDED):
            continue
        changed += 1
        row.feed_id = feed_id
        _write(row, one, state, now)
        session.add(row)
    session.flush()
    return changed


def _write(row: Datapoint, one: Judged, state: DatapointState, now: float) -> None:
    point = one.point
    row.daystamp, row.timestamp = point.daystamp, point.timestamp
    row.value, row.comment = point.value, point.comment
    row.content_hash = point.content_hash
    landed = row.landed_hash == row.content_hash
    row.state = DatapointState.LANDED if landed else state
    row.held_at = now if row.state == DatapointState.HELD else None
    row.frozen = None
    row.due_at, row.attempts, row.error = now, 0, one.why


def pending(session: Session, feed_id: int) -> list[Datapoint]:
    """What this feed has to push, oldest day first, postponed or not.

    A sync that left postponed points out would call the feed fresh without them.
    """
    return list(session.exec(_PENDING, params={"of_feed": feed_id}))


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
