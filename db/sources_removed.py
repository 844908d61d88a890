"""Taking a source away: all of it, or, where stopped feeds remember it, what proves who asks."""

from sqlalchemy import delete, update
from sqlmodel import Session, col, select

from db import notices
from db.models import Feed, Goal, Source, User
from db.names import feed_name
from db.states import FeedState, SourceState

EMPTIED = "its credentials were removed by a person"


def feeds_of(session: Session, source_id: int) -> list[tuple[str, str]]:
    """(name, state) of every feed that counts or has counted at this source."""
    rows = session.exec(
        select(Feed, Goal, User)
        .join(Goal, col(Feed.goal_id) == col(Goal.id))
        .join(User, col(Goal.user_id) == col(User.id))
        .where(col(Feed.source_id) == source_id)
        .order_by(col(User.username), col(Goal.slug), col(Feed.label))
    )
    return [
        (feed_name(user.username, goal.slug, feed.label), feed.state) for feed, goal, user in rows
    ]


def remove(session: Session, source_id: int, now: float) -> bool | None:
    """True: it is gone. False: feeds that are stopped remember it, so it is emptied of all secrets.

    None: feeds use it, and nothing was done. The row is locked first, so that no feed is made
    meanwhile.
    """
    session.connection().execute(
        select(col(Source.id)).where(col(Source.id) == source_id).with_for_update()
    )
    states = {state for _, state in feeds_of(session, source_id)}
    if states - {FeedState.STOPPED.value}:
        return None
    notices.clear_all(session, subjects=[f"source:{source_id}"], now=now)
    if not states:
        session.connection().execute(delete(Source).where(col(Source.id) == source_id))
        return True
    session.connection().execute(
        update(Source)
        .where(col(Source.id) == source_id)
        .values(
            credentials_cipher=None,
            session_cipher=None,
            access_issued_at=None,
            access_expires_at=None,
            renew_at=None,
            key_ends_at=None,
            token_version=col(Source.token_version) + 1,
            state=SourceState.REAUTHORIZE.value,
            last_error=EMPTIED,
        )
    )
    return False
