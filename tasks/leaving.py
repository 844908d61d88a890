"""A person leaves: nothing is fed any more, what we set at Beeminder is given back, all of it goes.

Each step may be repeated: who is stopped stays stopped, and what was given back is not given again.
What can't be given back is told, and keeps nobody here who wants to go all the same: it can be
done by hand.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import structlog
from sqlmodel import Session, col, select

from db import datasources, outbox, pauses, persons
from db.models import Feed, Goal, User
from db.states import FeedState
from tasks import datasource_change
from tasks.runtime import Runtime

log = structlog.get_logger(__name__)

REASON = "left"  # of feeds whose person is about to go


@dataclass(slots=True)
class Left:
    """What became of it: rows that went by table, none while they are still here; goals (slug, why)
    that are set to Waggle at Beeminder still, because their data source could not be given back.
    """

    rows: dict[str, int] = field(default_factory=dict)
    still_set: list[tuple[str, str]] = field(default_factory=list)


def leave(
    rt: Runtime,
    user_id: int,
    *,
    anyhow: bool = True,
    record: Callable[[Session], None] | None = None,
) -> Left:
    """Let this person go, now. What is at Beeminder is theirs and stays.

    `anyhow`: also where a data source could not be given back; else nothing is deleted then.
    `record` keeps that it was done, in the transaction that deletes.
    """
    left = Left()
    with rt.ledger.write() as session:
        given = _stop(session, user_id, rt.clock.now())
    for goal_id in given:
        with rt.ledger.read() as session:
            want = session.get_one(Goal, goal_id).datasource_want
        goal = datasource_change.make(rt, goal_id, want or "", asked=False)
        if goal.datasource_want is not None or goal.datasource_error is not None:
            left.still_set.append((goal.slug, goal.datasource_error or "not done yet"))
    rt.step("person.given_back")
    if left.still_set and not anyhow:
        log.info("person.kept", still_set=len(left.still_set))
        return left
    with rt.ledger.write() as session:
        user = session.get(User, user_id)
        if user is not None:  # else somebody else let them go meanwhile
            left.rows = persons.remove(session, user)
            if record is not None:
                record(session)
    log.info("person.left", rows=sum(left.rows.values()), still_set=len(left.still_set))
    return left


def _stop(session: Session, user_id: int, now: float) -> list[int]:
    """Stop all feeds; returns the goals whose data source is to be given back."""
    goals = session.exec(select(Goal.id).where(Goal.user_id == user_id)).all()
    ids = [goal_id for goal_id in goals if goal_id is not None]
    found = session.exec(select(Feed.id).where(col(Feed.goal_id).in_(ids))).all()
    feed_ids = [feed_id for feed_id in found if feed_id is not None]
    pauses.halt(session, feed_ids, state=FeedState.STOPPED, reason=REASON, now=now)
    outbox.withdraw(session, feed_ids)
    return datasources.give_back(session, ids, now)
