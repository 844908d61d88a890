"""What a person decides about a day: a held correction is sent or dropped, a day is pinned.

A held datapoint has in `value` what the source says now and in `landed_value` what is at Beeminder.
Both decisions are about that very content: when the source changes its mind again, the new value
is judged anew.

A sync that is under way has judged without the decision: it is fenced off, and begins anew. Feeds
are locked before their datapoints, as a sync does it.
"""

from collections.abc import Collection, Sequence

from sqlalchemy import select, update
from sqlmodel import Session, col
from sqlmodel import select as select_rows

from db import backfills, engine, feeds, notices, outbox
from db.models import Backfill, Feed
from db.models_points import Datapoint, Day, Sending
from db.states import RUNNING_TOTAL, DatapointState

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
    if for_update:
        feeds.lock(session, col(Feed.id).in_(feed_ids))
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
    _decided(session, {row.feed_id for row in rows}, now)
    return rows


def drop(
    session: Session, feed_ids: Collection[int], *, daystamp: str | None, now: float
) -> list[Datapoint]:
    """Refuse held corrections: what is at Beeminder stays, and the same content stays refused."""
    rows = held(session, feed_ids, daystamp=daystamp, for_update=True)
    for row in rows:
        row.dropped_hash = row.content_hash
        known = row.sent_value if row.landed_hash is None else row.landed_value
        _as_sent(session, row, known)
        outbox.take_back(row)
        row.due_at, row.error = now, None
    _decided(session, {row.feed_id for row in rows}, now)
    return rows


def read_on(
    session: Session, feed: Feed, approved: Sequence[Datapoint], *, now: float
) -> Backfill | None:
    """Have the days from the first of these approved ones to today read again.

    While a correction is kept back the days after it go on from what is at Beeminder. Once it
    passes they have to move as well, also those that no sync looks at any more. None where no day
    builds on all before it; the feed's open backfill where there is one already.
    """
    stamps = sorted(row.daystamp for row in approved if row.daystamp and row.feed_id == feed.id)
    if not stamps or feed.cursor.get("shape") != RUNNING_TOTAL:
        return None
    feed_id = feed.id or 0
    try:  # a running total is read on to today by itself
        return backfills.ask(session, feed_id, first=stamps[0], last=stamps[-1], now=now)
    except backfills.OtherBackfillError:
        return backfills.open_for(session, [feed_id])[0]


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
    feeds.lock(session, col(Feed.id) == feed_id)
    connection = session.connection()
    if not pinned:
        connection.execute(
            update(Day)
            .where(col(Day.feed_id) == feed_id, col(Day.daystamp) == daystamp)
            .values(pinned=False)
        )
        return []
    connection.execute(
        engine.insert(session, Day)
        .values(
            feed_id=feed_id, daystamp=daystamp, starts_at=bounds[0], ends_at=bounds[1], pinned=True
        )
        .on_conflict_do_update(index_elements=["feed_id", "daystamp"], set_={"pinned": True})
    )
    waiting = {DatapointState.PENDING, DatapointState.HELD}
    rows = _rows(session, [feed_id], waiting, daystamp=daystamp, for_update=True)
    for row in rows:
        if row.landed_hash is None:  # never there, or nobody knows: whatever it is, it stays
            row.state, row.content_hash = DatapointState.WITHDRAWN, ""
        else:
            _as_sent(session, row, row.landed_value)
            outbox.take_back(row)
        row.held_at, row.error = None, None
    _decided(session, {feed_id}, now)
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


def _as_sent(session: Session, row: Datapoint, value: float | None) -> None:
    """Give the row the comment that this value was sent with last, if that is remembered."""
    found = session.connection().execute(
        select(col(Sending.comment))
        .where(col(Sending.datapoint_id) == row.id, col(Sending.value) == value)
        .order_by(col(Sending.id).desc())
        .limit(1)
    )
    comment: str | None = found.scalar_one_or_none()
    row.comment = row.comment if comment is None else comment


def _decided(session: Session, feed_ids: Collection[int], now: float) -> None:
    """Fence off who judged before; a feed's notice goes when nothing of it is held any more."""
    session.flush()
    connection = session.connection()
    connection.execute(
        update(Feed)
        .where(col(Feed.id).in_(feed_ids))
        .values(epoch=col(Feed.epoch) + 1, lease_owner=None, lease_until=0.0)
    )
    still = connection.execute(
        select(col(Datapoint.feed_id))
        .where(col(Datapoint.feed_id).in_(feed_ids), col(Datapoint.state) == DatapointState.HELD)
        .distinct()
    )
    for feed_id in sorted(set(feed_ids) - set(still.scalars())):
        notices.clear(session, subject=f"feed:{feed_id}", kind=HELD, now=now)
