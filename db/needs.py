"""What needs a person: open notices, under the names by which people call what they are about.

What a person did or chose at Beeminder themselves is news, and need not be undone, as little as two
names of one unit, or days that could not be read again: it is shown for two weeks.
"""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import select
from sqlmodel import Session, col

from db import notices
from db.models import Feed, Goal, Source, User
from db.names import feed_name, source_name

NEWS = {"edited", "deleted", "datasource", "units", "backfill"}
NEWS_SECONDS = 14 * 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """One open notice, since UTC seconds.

    `subject` is alice, alice/energy, alice/energy:roof, or source plant of alice.
    """

    subject: str
    kind: str
    message: str
    since: float


def of(session: Session, now: float, *, user_id: int | None = None) -> list[Need]:
    """What this person (None: anybody) has to know or do, the oldest first."""
    rows = [
        row
        for row in notices.open_for(session, user_id=user_id)
        if row.kind not in NEWS or row.created_at > now - NEWS_SECONDS
    ]
    names = _names(session, {row.user_id for row in rows})
    return [
        Need(
            subject=names.get(row.subject, row.subject),
            kind=row.kind,
            message=row.message,
            since=row.created_at,
        )
        for row in rows
    ]


def _names(session: Session, user_ids: Collection[int]) -> dict[str, str]:
    """By `user:<id>`, `goal:<id>`, `feed:<id>` and `source:<id>`."""
    names = {}
    for user, username, goal, slug, feed, label in session.connection().execute(
        select(
            col(User.id),
            col(User.username),
            col(Goal.id),
            col(Goal.slug),
            col(Feed.id),
            col(Feed.label),
        )
        .select_from(User)
        .outerjoin(Goal, col(Goal.user_id) == col(User.id))
        .outerjoin(Feed, col(Feed.goal_id) == col(Goal.id))
        .where(col(User.id).in_(user_ids))
    ):
        names[f"user:{user}"] = username
        if goal is not None:
            names[f"goal:{goal}"] = feed_name(username, slug, "")
        if feed is not None:
            names[f"feed:{feed}"] = feed_name(username, slug, label)
    for source, name, username in session.connection().execute(
        select(col(Source.id), col(Source.name), col(User.username))
        .join(User, col(User.id) == col(Source.user_id))
        .where(col(User.id).in_(user_ids))
    ):
        names[f"source:{source}"] = source_name(username, name)
    return names
