"""What reconciling asks of the ledger: whose turn it is, what should be there, what was found out.

A goal is due a day after its feeds were last compared, later by some minutes that its id decides:
goals that were linked together do not fall due together for ever. Everything is written by the
holder of the feed's lease, and only to rows that are as they were when they were compared.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import and_, exists, func, literal_column, or_, select, update
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import Session, col
from sqlmodel import select as select_rows

from db import breakers, feeds, outbox, resting, spans, taking
from db.feeds import Claim
from db.models import RUNS, Feed, Goal, User
from db.models_points import Datapoint, Day
from db.once import Once
from db.states import DatapointState, FeedState, Work

PERIOD = 86400.0
SPREAD_MINUTES = 120


@dataclass(frozen=True, slots=True)
class Subject:
    """A goal with everything that the ledger knows about its points. Rows are copies."""

    user: User
    goal: Goal
    feeds: dict[int, Feed]
    rows: Sequence[Datapoint]
    days: Sequence[Day]


def any_overdue(session: Session, now: float, *, alone: bool = False) -> bool:
    """Is there a goal to reconcile? `alone`: for a feed that runs alone."""
    found = _any_overdue(alone=alone).ask(session, {"now": now})
    return found.first() is not None


@cache
def _any_overdue(*, alone: bool) -> Once:
    overdue = _overdue(taking.NOW, alone=alone)
    blocked = breakers.blocked(taking.NOW, at_source=False)
    # How few are overdue is only known of the instant.
    return Once(select(col(Feed.id)).where(overdue, ~blocked).limit(1), by_value=True)


def claim_overdue(session: Session, *, owner: str, now: float, alone: bool = False) -> list[Claim]:
    """Lease the overdue feeds of the one goal that has waited longest; empty when there is none.

    Where the breaker of its person is open it is a probe, and takes that turn.
    """
    overdue = _overdue(now, alone=alone)
    first = (
        session.connection()
        .execute(
            select(col(Feed.goal_id), col(Goal.user_id))
            .join(Goal, col(Goal.id) == col(Feed.goal_id))
            .where(overdue, ~breakers.blocked(now, at_source=False))
            .order_by(_last())
            .limit(1)
        )
        .one_or_none()
    )
    if first is None or not breakers.admit(
        session, source_id=None, user_id=first.user_id, now=now, urgent=False
    ):
        return []
    # Without a look at breakers: the turn of a probe has just been taken.
    where = and_(col(Feed.goal_id) == first.goal_id, overdue)
    return taking.take(session, where, owner, now, feeds.BATCH, work=Work.RECONCILE, alone=alone)


def claim_goal(session: Session, goal_id: int, *, owner: str, now: float) -> list[Claim]:
    """Lease all feeds of a goal, paused and stopped ones too; empty when one is being worked on."""
    ids = session.connection().execute(
        select(col(Feed.id)).where(col(Feed.goal_id) == goal_id).order_by(col(Feed.id))
    )
    wanted = set(ids.scalars())
    where = and_(col(Feed.id).in_(wanted), taking.free(now))
    claims = taking.take(session, where, owner, now, len(wanted), work=Work.RECONCILE)
    if {held.feed_id for held in claims} == wanted:
        return claims
    for held in claims:
        feeds.release(session, held)
    return []


def any_asked(session: Session, claims: Collection[Claim]) -> bool:
    """Has somebody asked for one of these feeds since it was claimed?"""
    asked = session.connection().execute(
        select(col(Feed.id), col(Feed.asked)).where(
            col(Feed.id).in_([held.feed_id for held in claims])
        )
    )
    before = {held.feed_id: held.asked for held in claims}
    return any(row.asked != before[row.id] for row in asked)


def _overdue(now: float, *, alone: bool) -> ColumnElement[bool]:
    return and_(
        resting.running(),
        col(Feed.last_synced_at).is_not(None),
        taking.free(now),
        col(Feed.due_at) > now,  # a sync goes first
        col(Feed.restored).is_(False),  # what it differs from may be older than what is there
        taking.clear(now, at_source=False, alone=alone),
        _a_day_ago(now),
    )


def _a_day_ago(now: float) -> ColumnElement[bool]:
    """Asked every second: in the words of the index of feeds that run, for either of its ends."""
    before = now - PERIOD
    runs: ColumnElement[bool] = literal_column(f"feed.{RUNS}")
    return or_(
        and_(runs, spans.past(col(Feed.reconciled_at), before)),
        and_(
            runs,
            col(Feed.reconciled_at).is_(None),
            spans.past(col(Feed.created_at), before),
            col(Feed.created_at) + _late() <= before,
        ),
    )


def _last() -> ColumnElement[float]:
    return func.coalesce(col(Feed.reconciled_at), col(Feed.created_at))


def _late() -> Any:  # noqa: ANN401 -- a number of seconds
    return (col(Feed.goal_id) % SPREAD_MINUTES) * 60.0


def goals(session: Session) -> list[tuple[User, Goal]]:
    """Every goal with a feed that was not stopped, by the names of people and goals."""
    linked = exists().where(col(Feed.goal_id) == col(Goal.id), col(Feed.state) != FeedState.STOPPED)
    found = session.exec(
        select_rows(User, Goal)
        .join(Goal, col(Goal.user_id) == col(User.id))
        .where(linked)
        .order_by(col(User.username), col(Goal.slug))
    )
    return list(found)


def load(session: Session, goal_id: int) -> Subject:
    """The goal, its feeds, and all rows of its outbox."""
    goal = session.get_one(Goal, goal_id)
    found = session.exec(select_rows(Feed).where(col(Feed.goal_id) == goal_id)).all()
    rows = session.exec(
        select_rows(Datapoint)
        .where(col(Datapoint.goal_id) == goal_id)
        .order_by(col(Datapoint.daystamp), col(Datapoint.id))
    )
    days = session.exec(select_rows(Day).where(col(Day.feed_id).in_([feed.id for feed in found])))
    return Subject(
        session.get_one(User, goal.user_id),
        goal,
        {feed.id or 0: feed for feed in found},
        rows.all(),
        days.all(),
    )


def unchanged(session: Session, rows: Collection[Datapoint]) -> set[int]:
    """Lock these rows; returns the ids of those that are still as they were read."""
    before = {row.id: _state(row) for row in rows}
    now = session.exec(
        select_rows(Datapoint)
        .where(col(Datapoint.id).in_(before))
        .order_by(col(Datapoint.id))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return {row.id or 0 for row in now if before[row.id] == _state(row)}


def _state(row: Datapoint) -> tuple[object, ...]:
    return row.state, row.content_hash, row.landed_hash, row.landed_value, row.frozen, row.sent_at


def learn_id(session: Session, point_id: int, beeminder_id: str) -> None:
    """The point is there under this id of Beeminder's."""
    session.connection().execute(
        update(Datapoint).where(col(Datapoint.id) == point_id).values(beeminder_id=beeminder_id)
    )


def accept(session: Session, row: Datapoint) -> None:
    """Its owner says that this point is meant to be gone: it stays so, and is not told any more."""
    session.connection().execute(
        update(Datapoint)
        .where(col(Datapoint.id) == row.id)
        .values(
            state=DatapointState.WITHDRAWN.value,
            frozen="deleted",
            dropped_hash=col(Datapoint.content_hash),
        )
    )


def thaw(session: Session, row: Datapoint) -> None:
    """What counted as a person's is there with the value of the ledger: it is ours again."""
    content = _content_hash(row, row.value)
    session.connection().execute(
        update(Datapoint)
        .where(col(Datapoint.id) == row.id)
        .values(
            state=DatapointState.LANDED.value,
            frozen=None,
            content_hash=content,
            landed_hash=content,
            landed_value=row.value,
            error=None,
        )
    )


def write_again(
    session: Session, row: Datapoint, value: float, *, there: float | None, now: float
) -> None:
    """Have this value pushed over `there`, which was just seen, whoever wrote that."""
    session.connection().execute(
        update(Datapoint)
        .where(col(Datapoint.id) == row.id)
        .values(
            state=DatapointState.PENDING.value,
            frozen=None,
            value=value,
            content_hash=_content_hash(row, value),
            landed_hash=None,
            landed_value=there,
            held_at=None,
            attempts=0,
            due_at=now,
            error=None,
        )
    )


def stand_for(session: Session, row: Datapoint, value: float) -> None:
    """The row is about to be a person's: what it would be written back to is this value."""
    session.connection().execute(
        update(Datapoint)
        .where(col(Datapoint.id) == row.id)
        .values(value=value, content_hash=_content_hash(row, value))
    )


def _content_hash(row: Datapoint, value: float) -> str:
    return outbox.Point(
        requestid=row.requestid,
        value=value,
        comment=row.comment,
        daystamp=row.daystamp or "",
        timestamp=row.timestamp,
    ).content_hash


def compared(session: Session, feed_ids: Collection[int], at: float) -> None:
    """These feeds count as compared at `at`, or some minutes later: after a day they are due."""
    session.connection().execute(
        update(Feed).where(col(Feed.id).in_(feed_ids)).values(reconciled_at=_late() + at)
    )
