"""What pages show of sources: never a secret, and not even how long one is."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select, true
from sqlmodel import Session, col
from sqlmodel import select as select_rows

from db.models import Feed, Source, User
from db.states import FeedState

PER_PAGE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceShown:
    """A source in the list; `account` says in words where it is."""

    id: int
    username: str
    name: str
    provider: str
    account: str
    state: str
    last_error: str | None
    used_at: float | None
    key_ends_at: float | None
    feeds: int
    stopped: int

    @property
    def path(self) -> str:
        """Its page."""
        return f"/sources/{self.username}/{self.name}"


def sources(
    session: Session, *, user_id: int | None, after: str | None = None, limit: int = PER_PAGE
) -> list[SourceShown]:
    """Sources by person and name; `after`: the last one of the page before, as `user/name`."""
    count = (
        select(
            col(Feed.source_id).label("source_id"),
            func.count().label("feeds"),
            func.count().filter(col(Feed.state) == FeedState.STOPPED).label("stopped"),
            func.max(col(Feed.last_synced_at)).label("used_at"),
        )
        .group_by(col(Feed.source_id))
        .subquery()
    )
    place = col(User.username) + "/" + col(Source.name)
    rows = session.connection().execute(
        select(
            col(Source.id),
            col(User.username),
            col(Source.name),
            col(Source.provider),
            col(Source.settings),
            col(Source.state),
            col(Source.last_error),
            func.coalesce(count.c.used_at, col(Source.used_at)).label("used_at"),
            col(Source.key_ends_at),
            func.coalesce(count.c.feeds, 0).label("feeds"),
            func.coalesce(count.c.stopped, 0).label("stopped"),
        )
        .join(User, col(User.id) == col(Source.user_id))
        .join(count, count.c.source_id == col(Source.id), isouter=True)
        .where(
            true() if user_id is None else col(Source.user_id) == user_id,
            true() if after is None else place > after,
        )
        .order_by(place)
        .limit(limit)
    )
    return [
        SourceShown(
            id=row.id,
            username=row.username,
            name=row.name,
            provider=row.provider,
            account=account(row.settings),
            state=row.state,
            last_error=row.last_error,
            used_at=row.used_at,
            key_ends_at=row.key_ends_at,
            feeds=row.feeds - row.stopped,
            stopped=row.stopped,
        )
        for row in rows
    ]


def account(settings: dict[str, Any]) -> str:
    """Where a source is and as whom, from what may be shown of it."""
    parts = [
        str(settings[name])
        for name in ("email", "account_name", "counterparty", "client_id", "tenant", "project")
        if settings.get(name)
    ]
    url = settings.get("oauth_url") or settings.get("url")
    if url:
        parts.append(f"at {str(url).partition('://')[2] or url}")
    return " ".join(parts)


def one(session: Session, user_id: int, name: str) -> Source | None:
    """A person's source by its name."""
    return session.exec(
        select_rows(Source).where(col(Source.user_id) == user_id, col(Source.name) == name.lower())
    ).first()


def of_person(session: Session, user_id: int) -> list[Source]:
    """All that a person has."""
    found = select_rows(Source).where(col(Source.user_id) == user_id).order_by(col(Source.name))
    return list(session.exec(found.limit(200)))
