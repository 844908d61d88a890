"""What people who watch their feeds are told: that something has changed, and nothing of it.

A fingerprint of a person's feeds is made of what moves whenever anything that a page shows of them
does: claims, ends of syncs, what is asked for, who was paused, notices, events. The browser then
asks for the part of the page again, as whoever it is by then.
"""

import hashlib
from collections.abc import Collection
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, case, cast, func, select, true
from sqlmodel import Session, col

from db import inbox
from db.models import Event, Feed, Goal, Notice, Source, User
from db.states import FeedState, SourceState

LENGTH = 16


def as_event(line: str) -> bytes:
    """`changed`, with the fingerprint by which a browser that comes again says what it has seen."""
    return b"id: %s\nevent: changed\ndata: %s\n\n" % (line.encode(), line.encode())


def read(session: Session, whose: Collection[int | None]) -> dict[int | None, str]:
    """The fingerprint of each of these people (None: of everybody)."""
    only = None if None in whose else [each for each in whose if each is not None]
    by_user = _by_user(session, only)
    found = {user_id: _digest(by_user.get(user_id or 0)) for user_id in whose}
    if None in whose:
        newest = session.connection().execute(select(func.max(col(Event.id)))).scalar()
        found[None] = _digest([sorted(by_user.items()), newest])
    return found


def first(session: Session, whose: int | None) -> str:
    """The fingerprint of this person (None: of everybody) now."""
    return read(session, [whose])[whose]


def _by_user(session: Session, only: Collection[int] | None) -> dict[int, list[Any]]:
    """What is known of each person's feeds, of these or (None) of all, in a few figures."""
    connection = session.connection()
    newest = inbox.latest(col(Event.user_id), col(User.id))
    people = select(col(User.id), col(User.state), col(User.timezone), newest).where(
        _one_of(col(User.id), only)
    )
    found: dict[int, list[Any]] = {
        user_id: list(facts) for user_id, *facts in connection.execute(people)
    }
    feeds = (
        select(
            col(Goal.user_id),
            func.count(),
            func.sum(col(Feed.epoch)),
            func.sum(col(Feed.asked)),
            func.sum(col(Feed.attempts) + col(Feed.deferrals)),
            func.sum(_milliseconds(col(Feed.due_at))),
            func.sum(_milliseconds(func.coalesce(col(Feed.last_synced_at), 0.0))),
            func.sum(_milliseconds(func.coalesce(col(Goal.facts_at), 0.0))),
            func.count(col(Feed.lease_owner)),
            func.sum(_weight(col(Feed.state), list(FeedState))),
            func.sum(_weight(col(Source.state), list(SourceState))),
        )
        .join(Goal, col(Goal.id) == col(Feed.goal_id))
        .join(Source, col(Source.id) == col(Feed.source_id))
        .where(_one_of(col(Goal.user_id), only))
        .group_by(col(Goal.user_id))
    )
    notices = (
        select(col(Notice.user_id), func.count(), func.max(col(Notice.id)))
        .where(col(Notice.cleared_at).is_(None), _one_of(col(Notice.user_id), only))
        .group_by(col(Notice.user_id))
    )
    for asked in (feeds, notices):
        for user_id, *facts in connection.execute(asked):
            found[user_id] += [str(fact) for fact in facts]
    return found


def _one_of(column: Any, only: Collection[int] | None) -> ColumnElement[bool]:  # noqa: ANN401 -- a column
    return true() if only is None else column.in_(only)


def _milliseconds(at: Any) -> Any:  # noqa: ANN401 -- a column and an expression
    """Whole numbers: a sum of them is the same in whatever order they are added."""
    return cast(at * 1000, BigInteger)


def _weight(column: Any, states: list[Any]) -> Any:  # noqa: ANN401 -- as above
    """Another number for each state, so that two that change places are seen too, nearly always."""
    return case(*((column == state, 7**place) for place, state in enumerate(states)), else_=0)


def _digest(known: Any) -> str:  # noqa: ANN401 -- whatever has a repr
    return hashlib.sha256(repr(known).encode()).hexdigest()[:LENGTH]
