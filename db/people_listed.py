"""People as an operator looks at them: how each stands, and when anything was heard. Only reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import RowMapping, Select, case, func, or_, select, true
from sqlmodel import Session, col

from db import inbox, searching
from db.models import Event, Feed, Goal, Notice, Source, User
from db.names import feed_name
from db.states import FeedState, SourceState, UserState


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """How one person stands. `heard_at`: the last callback or sync of theirs (UTC seconds).

    `refused`: their sources whose login was refused; `failing`: their feeds that fail.
    """

    id: int
    username: str
    timezone: str | None
    state: str
    created_at: float
    heard_at: float | None
    feeds: int
    failing: int
    sources: int
    refused: int
    notices: int


def people(
    session: Session,
    *,
    text: str | None = None,
    state: str | None = None,
    after: str | None = None,
    before: str | None = None,
    limit: int,
) -> list[Person]:
    """People by name: those next `after` a name, or next `before` one.

    `state` `reauthorize` means also those with a source whose login was refused.
    """
    query = _users()
    if text:
        query = query.where(searching.contains(col(User.username), text))
    if state == UserState.REAUTHORIZE:
        refused = select(col(Source.user_id)).where(
            col(Source.state) == SourceState.REAUTHORIZE.value
        )
        query = query.where(or_(col(User.state) == state, col(User.id).in_(refused)))
    elif state is not None:
        query = query.where(col(User.state) == state)
    if before is None:
        query = query.where(true() if after is None else col(User.username) > after)
        rows = _rows(session, query.order_by(col(User.username)).limit(limit))
    else:
        query = query.where(col(User.username) < before).order_by(col(User.username).desc())
        rows = _rows(session, query.limit(limit))[::-1]
    return _with_figures(session, rows)


def person(session: Session, user_id: int) -> Person | None:
    """One of them, by id."""
    found = _with_figures(session, _rows(session, _users().where(col(User.id) == user_id)))
    return found[0] if found else None


def _users() -> Select[*tuple[Any, ...]]:
    return select(
        col(User.id),
        col(User.username),
        col(User.timezone),
        col(User.state),
        col(User.created_at),
    )


def _with_figures(session: Session, rows: Sequence[RowMapping]) -> list[Person]:
    ids = [row["id"] for row in rows]
    feeds = {
        row["user_id"]: row
        for row in _rows(
            session,
            select(
                col(Goal.user_id),
                func.count().label("feeds"),
                func.sum(case((col(Feed.state) == FeedState.FAILING.value, 1), else_=0)).label(
                    "failing"
                ),
                func.max(col(Feed.last_synced_at)).label("synced_at"),
            )
            .join(Feed, col(Feed.goal_id) == col(Goal.id))
            .where(col(Goal.user_id).in_(ids))
            .group_by(col(Goal.user_id)),
        )
    }
    sources = {
        row["user_id"]: row
        for row in _rows(
            session,
            select(
                col(Source.user_id),
                func.count().label("sources"),
                func.sum(
                    case((col(Source.state) == SourceState.REAUTHORIZE.value, 1), else_=0)
                ).label("refused"),
            )
            .where(col(Source.user_id).in_(ids))
            .group_by(col(Source.user_id)),
        )
    }
    notices = _counted(
        session,
        select(col(Notice.user_id), func.count())
        .where(col(Notice.user_id).in_(ids), col(Notice.cleared_at).is_(None))
        .group_by(col(Notice.user_id)),
    )
    # The latest id says when, and is the end of an index: no event itself has to be looked at.
    last = inbox.latest(col(Event.user_id), col(User.id))
    latest = _counted(session, select(col(User.id), last).where(col(User.id).in_(ids)))
    found = []
    for row in rows:
        fed, has = feeds.get(row["id"]), sources.get(row["id"])
        called_at = inbox.time_of(latest[row["id"]]) if latest.get(row["id"]) else None
        synced_at = None if fed is None else fed["synced_at"]
        heard = [at for at in (called_at, synced_at) if at is not None]
        found.append(
            Person(
                **row,
                heard_at=max(heard) if heard else None,
                feeds=0 if fed is None else fed["feeds"],
                failing=0 if fed is None else fed["failing"],
                sources=0 if has is None else has["sources"],
                refused=0 if has is None else has["refused"],
                notices=notices.get(row["id"], 0),
            )
        )
    return found


def feeds(session: Session, user_id: int, *, after: int = 0, limit: int) -> list[RowMapping]:
    """A person's feeds next after an id, with the names of their goals and sources."""
    return list(
        _rows(
            session,
            select(
                col(Feed.id),
                col(Feed.label),
                col(Feed.metric),
                col(Feed.state),
                col(Feed.last_error),
                col(Feed.last_synced_at),
                col(Goal.slug),
                col(Source.name).label("source"),
            )
            .join(Goal, col(Goal.id) == col(Feed.goal_id))
            .join(Source, col(Source.id) == col(Feed.source_id))
            .where(col(Goal.user_id) == user_id, col(Feed.id) > after)
            .order_by(col(Feed.id))
            .limit(limit),
        )
    )


def sources(session: Session, user_id: int, *, limit: int) -> list[RowMapping]:
    """A person's sources by name."""
    return list(
        _rows(
            session,
            select(
                col(Source.name), col(Source.provider), col(Source.state), col(Source.last_error)
            )
            .where(col(Source.user_id) == user_id)
            .order_by(col(Source.name))
            .limit(limit),
        )
    )


def name_of(username: str, row: RowMapping) -> str:
    """What commands call a feed of `feeds`."""
    return feed_name(username, row["slug"], row["label"])


def _counted(session: Session, asked: Any) -> dict[int, Any]:  # noqa: ANN401 -- pairs of any kind
    return {key: value for key, value in session.connection().execute(asked) if key is not None}


def _rows(session: Session, asked: Any) -> Sequence[RowMapping]:  # noqa: ANN401 -- selects of any columns
    return session.connection().execute(asked).mappings().all()
