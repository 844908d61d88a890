"""What a person decides about a day: a held correction is sent or dropped, a day is pinned.

A held datapoint has in `value` what the source says now and in `landed_value` what is at Beeminder.
Both decisions are about that very content: when the source changes its mind again, the new value
is judged anew. Rows are locked while they are decided about, since a sync may be writing them.
"""

from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col
from sqlmodel import select as select_rows

from db import notices
from db.models import Datapoint, DatapointState, Day, Sending
from db.outbox import Point

HELD = "held"  # the kind of the notice


def held(
    session: Session,
    feed_ids: Collection[int],
    *,
    daystamp: str | None = None,
    for_update: bool = False,
) -> list[Datapoint]:
    """What waits for a decision, the oldest day first; `daystamp` None: on any day.

    `for_update`: nobody changes them before this transaction ends.
    """
    return _rows(session, feed_ids, {DatapointState.HELD}, daystamp=daystamp, for_update=for_update)


def approve(
    session: Session, feed_ids: Collection[int], *, daystamp: str | None, now: float
) -> list[Datapoint]:
    """Let held corrections pass: they are pending now, and the same content is not held again."""
    rows = held(session, feed_ids, daystamp=daystamp, for_update=True)
    for row in rows:
        row.state, row.approved_hash = DatapointState.PENDING, row.content_hash
        row.due_at, row.attempts = now, 0
        row.held_at, row.error = None, None
    session.flush()
    _clear(session, rows, now)
    return rows


def drop(
    session: Session, feed_ids: Collection[int], *, daystamp: str | None, now: float
) -> list[Datapoint]:
    """Refuse held corrections: what is at Beeminder stays, and the same content stays refused."""
    rows = held(session, feed_ids, daystamp=daystamp, for_update=True)
    for row in rows:
        row.dropped_hash = row.content_hash
        if _as_landed(session, row):
            continue
        if row.sent_value is None:
            _withdraw(row)
        else:
            _send_again(session, row, now)
    session.flush()
    _clear(session, rows, now)
    return rows


def pin(
    session: Session,
    feed_id: int,
    *,
    daystamp: str,
    pinned: bool,
    bounds: tuple[float, float],
    now: float,
) -> list[Datapoint]:
    """Leave a day as it is at Beeminder, or no longer; returns what is not sent because of it.

    `bounds`: start and end of the day in UTC seconds, for a day that was never read.
    """
    connection = session.connection()
    if not pinned:
        connection.execute(
            update(Day)
            .where(col(Day.feed_id) == feed_id, col(Day.daystamp) == daystamp)
            .values(pinned=False)
        )
        return []
    dialect: Any = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    connection.execute(
        dialect.insert(Day)
        .values(
            feed_id=feed_id, daystamp=daystamp, starts_at=bounds[0], ends_at=bounds[1], pinned=True
        )
        .on_conflict_do_update(index_elements=["feed_id", "daystamp"], set_={"pinned": True})
    )
    waiting = {DatapointState.PENDING, DatapointState.HELD}
    rows = _rows(session, [feed_id], waiting, daystamp=daystamp, for_update=True)
    for row in rows:
        if not _as_landed(session, row):
            _withdraw(row)
    session.flush()
    _clear(session, rows, now)
    return rows


def _rows(
    session: Session,
    feed_ids: Collection[int],
    states: Collection[DatapointState],
    *,
    daystamp: str | None,
    for_update: bool,
) -> list[Datapoint]:
    asked = (
        select_rows(Datapoint)
        .where(col(Datapoint.feed_id).in_(feed_ids), col(Datapoint.state).in_(states))
        .order_by(col(Datapoint.daystamp), col(Datapoint.id))
        .execution_options(populate_existing=True)
    )
    if daystamp is not None:
        asked = asked.where(col(Datapoint.daystamp) == daystamp)
    return list(session.exec(asked.with_for_update() if for_update else asked))


def _as_landed(session: Session, row: Datapoint) -> bool:
    """The row says again what is at Beeminder; False when that is not known."""
    if row.landed_hash is None or row.landed_value is None:
        return False
    row.comment = _sent_comment(session, row, row.landed_value)
    row.value, row.content_hash = row.landed_value, row.landed_hash
    row.state, row.held_at, row.error = DatapointState.LANDED, None, None
    return True


def _send_again(session: Session, row: Datapoint, now: float) -> None:
    """A push was not answered: one of two values is there, and sending the last again tells."""
    row.value = row.sent_value if row.sent_value is not None else row.value
    row.comment = _sent_comment(session, row, row.value)
    row.content_hash = Point(
        requestid=row.requestid,
        value=row.value,
        comment=row.comment,
        daystamp=row.daystamp or "",
        timestamp=row.timestamp,
    ).content_hash
    row.state, row.due_at = DatapointState.PENDING, now
    row.held_at, row.error = None, None


def _withdraw(row: Datapoint) -> None:
    """Nothing of it is sent; a later sync finds the fact again."""
    row.state, row.content_hash = DatapointState.WITHDRAWN, ""
    row.held_at, row.error = None, None


def _sent_comment(session: Session, row: Datapoint, value: float) -> str:
    """The comment that this value was sent with last; the row's own if nothing remembers it."""
    found = session.connection().execute(
        select(col(Sending.comment))
        .where(col(Sending.datapoint_id) == row.id, col(Sending.value) == value)
        .order_by(col(Sending.id).desc())
        .limit(1)
    )
    comment: str | None = found.scalar_one_or_none()
    return row.comment if comment is None else comment


def _clear(session: Session, rows: Iterable[Datapoint], now: float) -> None:
    """The notice of a feed goes when nothing of it is held any more."""
    feed_ids = {row.feed_id for row in rows}
    still = session.connection().execute(
        select(col(Datapoint.feed_id))
        .where(col(Datapoint.feed_id).in_(feed_ids), col(Datapoint.state) == DatapointState.HELD)
        .distinct()
    )
    for feed_id in sorted(feed_ids - set(still.scalars())):
        notices.clear(session, subject=f"feed:{feed_id}", kind=HELD, now=now)
