"""What is to be sent, as people look at it: what waits, for whom it waits, and what was refused.

A page begins after the last row of the one before it, by the instant at which a row is due and its
id: the order of the index, in which what waits longest comes first. Only reads, but for `retry`.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import RowMapping, Select, and_, or_, select, true, update
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import Session, col

from db import feeds, goals_found, searching
from db.models import Feed, Goal, User
from db.models_points import Datapoint
from db.states import DatapointState

SHOWN = (DatapointState.PENDING, DatapointState.HELD, DatapointState.REJECTED)
FIT = (DatapointState.PENDING, DatapointState.REJECTED)


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """The place of a row: when it is due (UTC seconds), and its id."""

    due_at: float
    id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which datapoints: in this state, of this person, due before then, of goals or ids like that.

    `until` is UTC seconds. `text` is a goal (`alice/energy`, or a part of a slug), or a requestid.
    """

    state: DatapointState = DatapointState.PENDING
    user_id: int | None = None
    until: float | None = None
    text: str | None = None


def rows(
    session: Session,
    asked: Asked,
    *,
    after: Mark | None = None,
    before: Mark | None = None,
    limit: int,
) -> list[RowMapping]:
    """Datapoints with the names of their feeds: those next `after` a mark, or next `before` one."""
    query = (
        select(
            col(Datapoint.id),
            col(Datapoint.requestid),
            col(Datapoint.daystamp),
            col(Datapoint.value),
            col(Datapoint.landed_value),
            col(Datapoint.state),
            col(Datapoint.attempts),
            col(Datapoint.due_at),
            col(Datapoint.error),
            col(Datapoint.frozen),
            col(Datapoint.created_at),
            col(Feed.label),
            col(Feed.state).label("feed_state"),
            col(Goal.slug),
            col(User.username),
        )
        .join(Feed, col(Feed.id) == col(Datapoint.feed_id))
        .join(Goal, col(Goal.id) == col(Datapoint.goal_id))
        .join(User, col(User.id) == col(Goal.user_id))
        .where(_which(session, asked))
        .limit(limit)
    )
    due, key = col(Datapoint.due_at), col(Datapoint.id)
    if before is None:
        query = query.where(true() if after is None else _later(after)).order_by(due, key)
        return list(session.connection().execute(query).mappings())
    query = query.where(_earlier(before)).order_by(due.desc(), key.desc())
    return list(session.connection().execute(query).mappings())[::-1]


def _later(mark: Mark) -> ColumnElement[bool]:
    due, key = col(Datapoint.due_at), col(Datapoint.id)
    return and_(due >= mark.due_at, or_(due > mark.due_at, key > mark.id))


def _earlier(mark: Mark) -> ColumnElement[bool]:
    due, key = col(Datapoint.due_at), col(Datapoint.id)
    return and_(due <= mark.due_at, or_(due < mark.due_at, key < mark.id))


def _which(session: Session, asked: Asked) -> ColumnElement[bool]:
    said: list[ColumnElement[bool]] = [col(Datapoint.state) == asked.state.value]
    if asked.user_id is not None:
        said.append(col(Goal.user_id) == asked.user_id)
    if asked.until is not None:
        said.append(col(Datapoint.due_at) < asked.until)
    if asked.text:
        goals = goals_found.ids(session, asked.text.lower(), user_id=asked.user_id)
        said.append(
            or_(
                col(Datapoint.goal_id).in_(goals),
                searching.contains(col(Datapoint.requestid), asked.text),
            )
        )
    return and_(*said)


def retry(session: Session, ids: Collection[int], now: float) -> list[int]:
    """What of these waits or was refused is due now; returns the ids.

    What is held stays held: that is its owner's to decide. Feeds are locked before their points, as
    by whoever marks what became of them.
    """
    theirs = select(col(Datapoint.feed_id)).where(col(Datapoint.id).in_(ids))
    feeds.lock(session, col(Feed.id).in_(theirs))
    changed = session.connection().execute(
        update(Datapoint)
        .where(
            col(Datapoint.id).in_(ids),
            col(Datapoint.state).in_([state.value for state in FIT]),
            col(Datapoint.frozen).is_(None),
        )
        .values(state=DatapointState.PENDING.value, due_at=now)
        .returning(col(Datapoint.id))
    )
    return sorted(found for found in changed.scalars() if found is not None)


def chosen(session: Session, ids: Sequence[int]) -> Sequence[RowMapping]:
    """These datapoints with their owners, by id; unknown ids are left out."""
    asked: Select[*tuple[Any, ...]] = (
        select(
            col(Datapoint.id),
            col(Datapoint.requestid),
            col(Datapoint.state),
            col(User.id).label("user_id"),
            col(User.username),
            col(Goal.slug),
        )
        .join(Goal, col(Goal.id) == col(Datapoint.goal_id))
        .join(User, col(User.id) == col(Goal.user_id))
        .where(col(Datapoint.id).in_(ids))
        .order_by(col(Datapoint.id))
    )
    return session.connection().execute(asked).mappings().all()
