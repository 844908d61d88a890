"""Which goals are to get another data source, and what fed them before us.

`datasource_want` is work: it is taken by moving its due time on, and ended by compare-and-swap, so
two workers at the same goal do at worst the same thing twice. What is taken and never ended has
killed its worker (`db.tries`). `datasource_before` stays for as long
as we are, or have been, the source of a goal with feeds: where Beeminder then says another one, a
person has changed it.
"""

from collections.abc import Collection
from functools import cache

from sqlalchemy import and_, exists, select, update
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import Session, col
from sqlmodel import select as select_rows

from db import breakers, taking, tries
from db.models import Feed, Goal, Notice
from db.once import Once
from db.states import FeedState

KEEP = "keep"


def linked(session: Session, goal_id: int) -> bool:
    """Has the goal a feed that is not stopped?"""
    found = session.connection().execute(
        select(col(Goal.id)).where(col(Goal.id) == goal_id, ~_unlinked())
    )
    return found.first() is not None


def wanted(session: Session, goal_id: int) -> bool:
    """Does the goal want us as its source: it has feeds, and none that says `keep`?"""
    found = session.connection().execute(
        select(col(Feed.options)).where(
            col(Feed.goal_id) == goal_id, col(Feed.state) != FeedState.STOPPED
        )
    )
    options = found.scalars().all()
    return bool(options) and all(each.get("datasource") != KEEP for each in options)


def due(session: Session, now: float, *, alone: bool = False) -> Goal | None:
    """The goal whose change has waited longest; `alone`: of those that are made alone."""
    wanted_now = _due(now, alone=alone)
    return session.exec(
        select_rows(Goal).where(wanted_now).order_by(col(Goal.datasource_due_at)).limit(1)
    ).first()


def any_due(session: Session, now: float, *, alone: bool = False) -> bool:
    """Is there a change to be made? `alone`: one that is made alone."""
    found = _any_due(alone=alone).ask(session, {"now": now})
    return found.first() is not None


@cache  # each sweep asks
def _any_due(*, alone: bool) -> Once:
    return Once(select(col(Goal.id)).where(_due(taking.NOW, alone=alone)).limit(1))


def ask(session: Session, goal_id: int, want: str | None, *, due_at: float) -> None:
    """Have this set there; None: nothing any more."""
    _update(
        session,
        col(Goal.id) == goal_id,
        datasource_want=want,
        datasource_due_at=due_at,
        datasource_tries=0,
        datasource_error=None,
    )


def remember(session: Session, goal_id: int, before: str | None) -> None:
    """What fed the goal before us."""
    _update(session, col(Goal.id) == goal_id, datasource_before=before)


def take(session: Session, goal: Goal, *, now: float, until: float) -> bool:
    """Begin a try; False when somebody else has, it is not wanted any more, or a breaker is open
    whose probe it is not.
    """
    if not breakers.admit(session, source_id=None, user_id=goal.user_id, now=now, urgent=False):
        return False
    return _update(
        session,
        and_(_as(goal), col(Goal.datasource_due_at) == goal.datasource_due_at),
        datasource_due_at=until,
        datasource_tries=col(Goal.datasource_tries) + 1,
    )


def end(session: Session, goal: Goal, *, error: str | None = None, not_before: float = 0.0) -> bool:
    """The change is done or given up; with an `error` it is not planned again `not_before`."""
    return _update(
        session,
        _as(goal),
        datasource_want=None,
        datasource_error=error,
        datasource_due_at=not_before,
        datasource_tries=0,
    )


def give_up(session: Session, goal: Goal, *, error: str) -> bool:
    """The change killed its worker too often: it is planned again only when a person asks."""
    return _update(
        session,
        _as(goal),
        datasource_want=None,
        datasource_error=error,
        datasource_tries=tries.GIVEN_UP,
    )


def put_off(session: Session, goal: Goal, *, due_at: float, error: str) -> bool:
    """Try again then."""
    return _update(
        session,
        _as(goal),
        datasource_due_at=due_at,
        datasource_error=error,
        datasource_tries=tries.without_the_last(col(Goal.datasource_tries)),
    )


def seen(session: Session, goal_id: int, autodata: str | None) -> None:
    """What Beeminder says feeds the goal now."""
    _update(session, col(Goal.id) == goal_id, autodata=autodata)


def goals_of(session: Session, feed_ids: Collection[int]) -> set[int]:
    """The goals that these feeds are on."""
    found = session.connection().execute(
        select(col(Feed.goal_id)).where(col(Feed.id).in_(feed_ids))
    )
    return set(found.scalars())


def give_back(session: Session, goal_ids: Collection[int], now: float) -> list[int]:
    """Restore what fed these goals before us, where no feed is left; returns the goals' ids.

    Call it after the feeds were stopped, in the same transaction.
    """
    none_left = and_(col(Goal.id).in_(goal_ids), _unlinked())
    _update(session, and_(none_left, col(Goal.datasource_before).is_(None)), datasource_want=None)
    given = session.connection().execute(
        update(Goal)
        .where(none_left, col(Goal.datasource_before).is_not(None))
        .values(
            datasource_want=col(Goal.datasource_before),
            datasource_due_at=now,
            datasource_tries=0,
            datasource_error=None,
        )
        .returning(col(Goal.id))
        .execution_options(synchronize_session=False)
    )
    return sorted(found for found in given.scalars() if found is not None)


def take_up(session: Session, goal_id: int) -> None:
    """A goal without feeds gets one again: what was to be given back stays.

    Call it before the feed runs again, in the same transaction.
    """
    _update(
        session,
        and_(
            col(Goal.id) == goal_id,
            _unlinked(),
            col(Goal.datasource_want) == col(Goal.datasource_before),
        ),
        datasource_want=None,
    )


def open_notices(session: Session, subject: str, kind: str) -> set[str]:
    """The keys of what a person was told of this goal's source and what still holds."""
    found = session.connection().execute(
        select(col(Notice.key)).where(
            col(Notice.subject) == subject,
            col(Notice.kind) == kind,
            col(Notice.cleared_at).is_(None),
        )
    )
    return set(found.scalars())


def _due(now: float, *, alone: bool) -> ColumnElement[bool]:
    return and_(
        col(Goal.datasource_want).is_not(None),
        col(Goal.datasource_due_at) <= now,
        tries.open_to(col(Goal.datasource_tries), alone=alone),
        ~breakers.link_blocked(Goal, now, urgent=False),
    )


def _as(goal: Goal) -> ColumnElement[bool]:
    """The goal, while it still wants what this row says."""
    return and_(col(Goal.id) == goal.id, col(Goal.datasource_want) == goal.datasource_want)


def _unlinked() -> ColumnElement[bool]:
    return ~exists().where(col(Feed.goal_id) == col(Goal.id), col(Feed.state) != FeedState.STOPPED)


def _update(session: Session, where: ColumnElement[bool], **columns: object) -> bool:
    changed = session.connection().execute(
        update(Goal).where(where).values(**columns).execution_options(synchronize_session=False)
    )
    return changed.rowcount > 0
