"""Feeds that are late: stopped with a reason, or without fresh data for two hours.

Where the reason is told already (an outage, a link that died, a red day, work that kills its
worker) it is not told once more for each of its feeds.
"""

from datetime import UTC, datetime

from sqlalchemy import String as Text
from sqlalchemy import and_, cast, exists, literal, or_, select
from sqlalchemy.orm import Mapped
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import Session, col

from db import resting
from db.models import Feed, Goal, Notice, Source, User
from db.models_limits import Breaker
from db.states import FeedState, SourceState, UserState
from tasks import alarms, standing
from tasks.runtime import Runtime

KIND = "late"
LATE_SECONDS = 2 * 3600.0


def tell(rt: Runtime) -> None:
    """Raise a notice for each feed that is late; clear those of all others."""
    now = rt.clock.now()
    with rt.ledger.read() as session:
        found = _late(session, now)
    standing.tell(rt, KIND, found)


def _late(session: Session, now: float) -> standing.Found:
    rows = session.connection().execute(
        select(
            col(Feed.id),
            col(Feed.state),
            col(Feed.failing_since),
            col(Feed.last_error),
            col(Goal.user_id),
        )
        .join(Goal, col(Goal.id) == col(Feed.goal_id))
        .join(Source, col(Source.id) == col(Feed.source_id))
        .join(User, col(User.id) == col(Goal.user_id))
        .where(
            resting.running(),
            col(Feed.failing_since).is_not(None),
            or_(
                col(Feed.state) == FeedState.FAILING,
                col(Feed.failing_since) <= now - LATE_SECONDS,
            ),
            col(Source.state) != SourceState.REAUTHORIZE,
            col(User.state) == UserState.ACTIVE,
            ~_broken("source:", col(Source.id)),
            ~_broken("user:", col(User.id)),
            ~_told_of_red_day(),
        )
    )
    return {
        f"feed:{row.id}": (row.user_id, _text(row.state, row.failing_since, row.last_error))
        for row in rows
    }


def _broken(kind: str, row_id: Mapped[int | None]) -> ColumnElement[bool]:
    return exists().where(
        col(Breaker.subject) == literal(kind).concat(cast(row_id, Text)),
        col(Breaker.opened_at).is_not(None),
    )


def _told_of_red_day() -> ColumnElement[bool]:
    return exists().where(
        and_(
            col(Notice.subject) == literal("feed:").concat(cast(col(Feed.id), Text)),
            col(Notice.kind) == alarms.KIND,
            col(Notice.cleared_at).is_(None),
        )
    )


def _text(state: str, since: float, error: str | None) -> str:
    when = f"{datetime.fromtimestamp(since, UTC):%Y-%m-%d %H:%M} UTC"
    why = error or "nobody knows why"
    if state == FeedState.FAILING:
        return f"stopped since {when}, and looked at once a day: {why}"
    return f"no fresh data since {when}: {why}"
