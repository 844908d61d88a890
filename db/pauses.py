"""Taking feeds out of work: who waits for them is answered, who works on them is fenced off.

A sync that is under way would write its result, and the state `active`, over the pause: the epoch
is raised, so that it can write nothing any more.
"""

from collections.abc import Collection

from sqlalchemy import exists, select, update
from sqlmodel import Session, col

from db import inbox
from db.models import Cover, Event, EventState, Feed, FeedState
from db.opening import no_such_feed


def halt(
    session: Session, feed_ids: Collection[int], *, state: FeedState, reason: str, now: float
) -> None:
    """Pause or stop these feeds; an event that waited for nothing else ends as "no such feed"."""
    session.connection().execute(
        update(Feed)
        .where(col(Feed.id).in_(feed_ids))
        .values(
            state=state.value,
            reason=reason,
            epoch=col(Feed.epoch) + 1,
            lease_owner=None,
            lease_until=0.0,
        )
    )
    waiting = session.connection().execute(
        update(Cover)
        .where(col(Cover.feed_id).in_(feed_ids), col(Cover.done).is_(False))
        .values(done=True)
        .returning(col(Cover.event_id))
    )
    ids = set(waiting.scalars())
    open_cover = exists().where(col(Cover.event_id) == col(Event.id), col(Cover.done).is_(False))
    for_nothing_else = session.connection().execute(
        select(col(Event.id)).where(
            col(Event.id).in_(ids), col(Event.state) == EventState.WORKING, ~open_cover
        )
    )
    ended = list(for_nothing_else.scalars())
    inbox.finish(session, ended, now, error=no_such_feed(f"the feed is {state.value}"))


def wake(session: Session, feed_ids: Collection[int], now: float) -> None:
    """Sync these feeds again, at once, as if nothing had failed before."""
    session.connection().execute(
        update(Feed)
        .where(col(Feed.id).in_(feed_ids))
        .values(
            state=FeedState.ACTIVE.value,
            reason=None,
            due_at=now,
            attempts=0,
            deferrals=0,
            failing_since=None,
        )
    )
