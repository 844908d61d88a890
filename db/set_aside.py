"""What died alone too often is taken out of work, and everybody who waits for it is told.

A feed is set aside until a person says that it may run again (`db.resting`), an event is dead.
"""

from datetime import UTC, datetime

from sqlalchemy import func, select, update
from sqlmodel import Session, col

from db import backfills, events, inbox, notices, resting
from db.models import Cover, Event, Feed, Goal, User
from db.names import feed_name
from db.states import EventState, FeedState, Lane


def feed(session: Session, feed_id: int, deaths: int, now: float) -> None:
    """Nothing claims it any more; who waits for it is told, and its owner."""
    row = (
        session.connection()
        .execute(
            select(col(User.id), col(User.username), col(Goal.slug), col(Feed.label))
            .join(Goal, col(Goal.user_id) == col(User.id))
            .join(Feed, col(Feed.goal_id) == col(Goal.id))
            .where(col(Feed.id) == feed_id)
        )
        .one()
    )
    name = feed_name(row.username, row.slug, row.label)
    message = (
        f"set aside: {_words(deaths, now)}; `waggle sync {name} --preview` does the same in a "
        f"process of your own and shows how it ends, `waggle resume {name}` has it tried again"
    )
    error = {"code": resting.SET_ASIDE, "message": message}
    session.connection().execute(
        update(Feed)
        .where(col(Feed.id) == feed_id)
        .values(
            state=FeedState.FAILING.value,
            reason=resting.SET_ASIDE,
            last_error=message,
            failing_since=func.coalesce(col(Feed.failing_since), now),
            lane=Lane.BULK.value,
            lease_until=0.0,
        )
    )
    notices.raise_(
        session,
        user_id=row.id,
        subject=f"feed:{feed_id}",
        kind=resting.SET_ASIDE,
        message=message,
        now=now,
    )
    for backfill in backfills.open_for(session, [feed_id]):
        backfills.fail(session, backfill.id or 0, error=message, now=now)
    waiting = session.connection().execute(
        update(Cover)
        .where(col(Cover.feed_id) == feed_id, col(Cover.done).is_(False))
        .values(done=True)
        .returning(col(Cover.event_id))
    )
    inbox.finish(session, set(waiting.scalars()), now, error=error)


def event(session: Session, event_id: str, deaths: int, now: float) -> None:
    """Nobody takes it any more; it is shown with the reason, and fit to be replayed."""
    error = {"code": "killed_its_worker", "message": _words(deaths, now)}
    session.connection().execute(
        update(Event)
        .where(col(Event.id) == event_id)
        .values(
            state=EventState.DEAD.value, finished_at=now, error=events.given_up(event_id, error)
        )
    )


def _words(deaths: int, now: float) -> str:
    last = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f"the worker died or hung {deaths} times in a row while it did nothing else, last {last}"
