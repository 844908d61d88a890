"""Limits that put feeds off again and again: the owner is told once, of the account and not of each
feed, and no more when none of its feeds is put off like that.

A gate that a vendor closed for hours is told of elsewhere (`tasks.long_waits`); here it opens, and
its requests never suffice.
"""

from sqlalchemy import and_, select
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import Session, col

from db import notices, resting
from db.models import Feed, Goal, Notice
from tasks import long_waits, policy
from tasks.beeminder import WHERE
from tasks.jobs import Job

KIND = "put_off"
MESSAGE = (
    "a limit has put feeds off again and again for more than an hour; a longer `every`, or fewer "
    "feeds on this account, need less of it"
)


def tell(session: Session, job: Job, *, where: str, now: float) -> bool:
    """Raise the notice: of the source, or of the person where it is Beeminder's limit.

    True when it is news.
    """
    user_id = job.goal.user_id
    subject = f"user:{user_id}" if where == WHERE else f"source:{job.feed.source_id}"
    closed_for_long = session.connection().execute(
        select(col(Notice.id)).where(
            col(Notice.subject) == subject,
            col(Notice.kind) == long_waits.KIND,
            col(Notice.cleared_at).is_(None),
        )
    )
    if closed_for_long.first() is not None:
        return False
    return notices.raise_(
        session, user_id=user_id, subject=subject, kind=KIND, message=MESSAGE, now=now
    )


def clear(session: Session, now: float) -> None:
    """Take back what is over: nothing there is put off like that any more."""
    told = session.connection().execute(
        select(col(Notice.subject)).where(
            col(Notice.kind) == KIND, col(Notice.cleared_at).is_(None)
        )
    )
    for subject in told.scalars().all():
        still = select(col(Feed.id)).where(_of(subject), _put_off(now)).limit(1)
        if session.connection().execute(still).first() is None:
            notices.clear(session, subject=subject, kind=KIND, now=now)


def is_put_off(feed: Feed, now: float) -> bool:
    """Has this feed been put off so often and for so long that it is not free any more?"""
    since = feed.deferred_since
    return (
        since is not None
        and feed.deferrals >= policy.SYNC.deferrals
        and now - since >= policy.SYNC.deferred_for
    )


def _put_off(now: float) -> ColumnElement[bool]:
    return and_(
        resting.claimable(),
        col(Feed.deferrals) >= policy.SYNC.deferrals,
        col(Feed.deferred_since) <= now - policy.SYNC.deferred_for,
    )


def _of(subject: str) -> ColumnElement[bool]:
    """The feeds that a notice about this source or person is about."""
    kind, _, row_id = subject.partition(":")
    if kind == "source":
        return col(Feed.source_id) == int(row_id)
    goals = select(col(Goal.id)).where(col(Goal.user_id) == int(row_id))
    return col(Feed.goal_id).in_(goals)
