"""What waits for another try is woken when what it waits for is back."""

from collections.abc import Collection

from sqlalchemy import and_, func, or_, select, update
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import Session, col

from db import feeds, held_up
from db.models import Backfill, Event, Feed, Source
from db.models_points import Datapoint
from db.states import BackfillState, DatapointState, EventState, FeedState

PER_SECOND = 20.0  # what has just come back is not run over


def of_source(session: Session, source_id: int, now: float) -> int:
    """Feeds of this source that wait in back-off come due; returns how many. So do past days."""
    return _wake(session, col(Feed.source_id) == source_id, now)


def of_person(session: Session, user_id: int, now: float) -> int:
    """The same for all feeds of a person, and for names that are looked up for them."""
    theirs = select(col(Source.id)).where(col(Source.user_id) == user_id)
    woken = _wake(session, col(Feed.source_id).in_(theirs), now)
    session.connection().execute(
        update(Event)
        .where(
            col(Event.user_id) == user_id,
            col(Event.state) == EventState.RECEIVED,
            col(Event.attempts) > 0,
            col(Event.lease_until) <= now,
            col(Event.due_at) > now,
        )
        .values(due_at=now)
    )
    return woken


def unsent(session: Session, user_id: int) -> int | None:
    """A feed of this person with points that were sent in vain and are tried again; None: none."""
    theirs = select(col(Source.id)).where(col(Source.user_id) == user_id)
    found = session.connection().execute(
        select(col(Datapoint.feed_id))
        .join(Feed, col(Feed.id) == col(Datapoint.feed_id))
        .where(
            col(Feed.source_id).in_(theirs),
            col(Feed.state) == FeedState.ACTIVE,
            col(Datapoint.state) == DatapointState.PENDING,
            col(Datapoint.attempts) > 0,
        )
        .order_by(col(Datapoint.due_at))
        .limit(1)
    )
    return found.scalars().first()


def send(session: Session, feed_id: int, now: float) -> None:
    """What this feed has to push is due, although its own time has not come.

    The feed is locked before its points, as by whoever marks what became of them.
    """
    feeds.lock(session, col(Feed.id) == feed_id)
    session.connection().execute(
        update(Datapoint)
        .where(
            col(Datapoint.feed_id) == feed_id,
            col(Datapoint.state) == DatapointState.PENDING,
            col(Datapoint.due_at) > now,
        )
        .values(due_at=now)
    )


def behind(session: Session, keys: Collection[str], now: float) -> int:
    """Feeds that were put back by these gates come due; returns how many."""
    theirs = select(col(Source.id)).where(
        or_(col(Source.quota_key).in_(keys), held_up.person_key().in_(keys))
    )
    return _wake_feeds(session, and_(col(Feed.source_id).in_(theirs), col(Feed.deferrals) > 0), now)


def _wake(session: Session, whose: ColumnElement[bool], now: float) -> int:
    """Of these feeds what has failed; past days one chunk after the other, as ever."""
    woken = _wake_feeds(session, and_(whose, col(Feed.attempts) > 0), now)
    session.connection().execute(
        update(Backfill)
        .where(
            col(Backfill.feed_id).in_(select(col(Feed.id)).where(whose)),
            col(Backfill.state) == BackfillState.WORKING,
            col(Backfill.attempts) > 0,
            col(Backfill.due_at) > now,
        )
        .values(due_at=now)
    )
    return woken


def _wake_feeds(session: Session, which: ColumnElement[bool], now: float) -> int:
    """Callbacks first, then by their own times; nobody is made to wait for longer than before."""
    waits = and_(
        which,
        col(Feed.state) == FeedState.ACTIVE,
        col(Feed.due_at) > now,
        col(Feed.lease_until) <= now,
    )
    feeds.lock(session, waits)
    place = func.row_number().over(order_by=(col(Feed.lane), col(Feed.due_at), col(Feed.id)))
    row = (
        select(col(Feed.id), (now + (place - 1) / PER_SECOND).label("at"))
        .where(waits)
        .subquery("row")
    )
    changed = session.connection().execute(
        update(Feed)
        .where(col(Feed.id) == row.c.id, col(Feed.due_at) > row.c.at)
        .values(due_at=row.c.at)
    )
    return changed.rowcount
