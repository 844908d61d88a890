"""What pages show of links: who feeds which goal, what was done lately, and whether to undo it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlmodel import Session, col
from sqlmodel import select as select_rows

from db import errands
from db.models import Feed, Goal, Source, User
from db.models_pages import Errand
from db.names import feed_name
from db.states import ErrandKind, ErrandState, FeedState

CHANGES = (ErrandKind.LINK, ErrandKind.UNLINK, ErrandKind.MANUAL, ErrandKind.UNDO)
LATELY_SECONDS = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedLinked:
    """One feed of a goal, and where its numbers come from."""

    id: int
    label: str
    source: str
    metric: str
    state: str
    reason: str | None


def fed(session: Session, user_id: int) -> dict[str, list[str]]:
    """The sources that feed each goal of a person, by slug; feeds that are stopped are left out."""
    rows = session.connection().execute(
        select(col(Goal.slug), col(Source.name))
        .join(Feed, col(Feed.goal_id) == col(Goal.id))
        .join(Source, col(Source.id) == col(Feed.source_id))
        .where(col(Goal.user_id) == user_id, col(Feed.state) != FeedState.STOPPED)
        .order_by(col(Goal.slug), col(Feed.label))
    )
    found: dict[str, list[str]] = {}
    for slug, name in rows:
        found.setdefault(slug, []).append(name)
    return found


def goal(session: Session, user_id: int, slug: str) -> Goal | None:
    """A person's goal by its name now."""
    return session.exec(
        select_rows(Goal).where(col(Goal.user_id) == user_id, col(Goal.slug) == slug)
    ).first()


def feeds(session: Session, goal_id: int) -> list[FeedLinked]:
    """The feeds of a goal."""
    rows = session.connection().execute(
        select(
            col(Feed.id),
            col(Feed.label),
            col(Source.name),
            col(Feed.metric),
            col(Feed.state),
            col(Feed.reason),
        )
        .join(Source, col(Source.id) == col(Feed.source_id))
        .where(col(Feed.goal_id) == goal_id)
        .order_by(col(Feed.label))
    )
    return [
        FeedLinked(
            id=row.id or 0,
            label=row.label,
            source=row.name,
            metric=row.metric,
            state=row.state,
            reason=row.reason,
        )
        for row in rows
    ]


def lately(session: Session, user_id: int, slug: str, now: float) -> list[Errand]:
    """What was done about the links of a goal in the last hour, the newest first."""
    found = errands.recent(session, user_id, CHANGES, since=now - LATELY_SECONDS)
    return [errand for errand in found if slug_of(errand.params) == slug]


def slug_of(params: dict[str, Any]) -> str:
    """The goal that an errand is about, without the label."""
    return str(params.get("name", "")).rpartition("/")[2].partition(":")[0]


def undo(done: Sequence[Errand]) -> Errand | None:
    """The link that one click takes back, if that is the last thing that was done (`lately`)."""
    last = next(iter(done), None)
    if last is None or last.kind != ErrandKind.LINK or last.state != ErrandState.DONE:
        return None
    return last if (last.answer or {}).get("new") else None


def undo_of(session: Session, user_id: int, slug: str, now: float) -> str | None:
    """The name of the feed whose link can be taken back, for the page of its goal."""
    found = undo(lately(session, user_id, slug, now))
    return None if found is None else str(found.params["name"])


def name_of(user: User, slug: str, label: str) -> str:
    """user/goal or user/goal:label."""
    return feed_name(user.username, slug, label)
