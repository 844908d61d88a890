"""The outbox: one row per datapoint we are responsible for, for ever.

A row is what Beeminder should hold (`content_hash`) and what we know it holds (`landed_hash`).
While the two differ the row is `pending`; between a push and its answer nothing is known to be
there. Rows are written by the holder of the feed's lease.
"""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import case, update
from sqlmodel import Session, col
from sqlmodel import select as select_rows

from db.models import Datapoint, DatapointState, Day


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A datapoint that should be at Beeminder; exactly one of `daystamp` and `timestamp`."""

    requestid: str
    value: float
    comment: str
    daystamp: str | None = None
    timestamp: int | None = None

    @property
    def content_hash(self) -> str:
        """Equal content has equal hashes; an unchanged point is not sent at all."""
        content = f"{self.daystamp}|{self.timestamp}|{self.value!r}|{self.comment}"
        return hashlib.sha256(content.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenDay:
    """What the source said of one Beeminder day; `value` None: it had nothing to say."""

    daystamp: str
    starts_at: float
    ends_at: float
    value: float | None
    note: str | None = None


def record_days(session: Session, feed_id: int, days: Sequence[SeenDay], now: float) -> None:
    """Remember what was read. A day that was finished when it was last read keeps its bounds."""
    known = {
        day.daystamp: day
        for day in session.exec(
            select_rows(Day).where(
                col(Day.feed_id) == feed_id,
                col(Day.daystamp).in_([day.daystamp for day in days]),
            )
        )
    }
    for day in days:
        row = known.get(day.daystamp) or Day(
            feed_id=feed_id, daystamp=day.daystamp, starts_at=day.starts_at, ends_at=day.ends_at
        )
        if row.ends_at > now:  # the person may travel, or move a deadline, before it ends
            row.starts_at, row.ends_at = day.starts_at, day.ends_at
        row.value, row.note, row.seen_at = day.value, day.note, now
        session.add(row)
    session.flush()


def record_points(
    session: Session, *, goal_id: int, feed_id: int, points: Sequence[Point], now: float
) -> int:
    """Put changed points into the outbox, leave the others alone; returns how many changed.

    A refused point is tried again: the goal may have been restarted.
    """
    known = {
        row.requestid: row
        for row in session.exec(
            select_rows(Datapoint).where(
                col(Datapoint.goal_id) == goal_id,
                col(Datapoint.requestid).in_([point.requestid for point in points]),
            )
        )
    }
    changed = 0
    for point in points:
        row = known.get(point.requestid)
        if row is None:
            row = Datapoint(
                goal_id=goal_id,
                feed_id=feed_id,
                requestid=point.requestid,
                value=point.value,
                content_hash="",
                created_at=now,
            )
        if row.content_hash == point.content_hash and row.state != DatapointState.REJECTED:
            continue
        changed += 1
        row.feed_id = feed_id
        row.daystamp, row.timestamp = point.daystamp, point.timestamp
        row.value, row.comment = point.value, point.comment
        row.content_hash = point.content_hash
        landed = row.landed_hash == row.content_hash
        row.state = DatapointState.LANDED if landed else DatapointState.PENDING
        row.due_at, row.attempts, row.error = now, 0, None
        session.add(row)
    session.flush()
    return changed


def pending(session: Session, feed_id: int) -> list[Datapoint]:
    """What this feed has to push, oldest day first, postponed or not.

    A sync that left postponed points out would call the feed fresh without them.
    """
    return list(
        session.exec(
            select_rows(Datapoint)
            .where(
                col(Datapoint.feed_id) == feed_id,
                col(Datapoint.state) == DatapointState.PENDING,
            )
            .order_by(col(Datapoint.daystamp), col(Datapoint.timestamp), col(Datapoint.id))
        )
    )


def landed(session: Session, feed_id: int) -> list[Datapoint]:
    """What this feed has at Beeminder, or is about to have there."""
    return list(
        session.exec(
            select_rows(Datapoint).where(
                col(Datapoint.feed_id) == feed_id,
                col(Datapoint.state).in_((DatapointState.LANDED, DatapointState.PENDING)),
            )
        )
    )


def begin_push(session: Session, ids: Collection[int], now: float) -> None:
    """Count the try before it is made, so that one that kills its worker is counted as well.

    Its answer may be lost: until it is marked, no earlier value is believed to be there.
    """
    session.connection().execute(
        update(Datapoint)
        .where(col(Datapoint.id).in_(ids))
        .values(attempts=col(Datapoint.attempts) + 1, sent_at=now, landed_hash=None)
    )


def mark_landed(
    session: Session, *, point_id: int, sent_hash: str, beeminder_id: str | None, now: float
) -> None:
    """Beeminder holds what was sent; the row stays pending if it has changed since."""
    known_id = col(Datapoint.beeminder_id) if beeminder_id is None else beeminder_id
    session.connection().execute(
        update(Datapoint)
        .where(col(Datapoint.id) == point_id)
        .values(
            landed_hash=sent_hash,
            beeminder_id=known_id,
            landed_at=now,
            error=None,
            state=case(
                (col(Datapoint.content_hash) == sent_hash, DatapointState.LANDED.value),
                else_=col(Datapoint.state),
            ),
        )
    )


def mark_rejected(session: Session, *, point_id: int, error: str) -> None:
    """Beeminder refuses this point for good; it is shown, and a changed value is tried again."""
    session.connection().execute(
        update(Datapoint)
        .where(col(Datapoint.id) == point_id)
        .values(state=DatapointState.REJECTED.value, error=error)
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
