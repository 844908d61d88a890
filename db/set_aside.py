"""What died alone too often is taken out of work, and everybody who waits for it is told.

A feed is set aside until a person says that it may run again (`db.resting`), an event is dead. What
is said names the work that killed, and what of it can be done in a process of one's own.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import func, select, update
from sqlmodel import Session, col

from db import backfills, endings, events, inbox, notices, resting
from db.models import Backfill, Cover, Event, Feed, Goal, User
from db.names import dashed, feed_name
from db.states import EventState, FeedState, Lane, Work

DOING = {
    Work.SYNC: "synced it",
    Work.PUSH: "sent what was waiting to be sent",
    Work.BACKFILL: "read past days again",
    Work.RECONCILE: "compared its goal with Beeminder",
}


def feed(session: Session, feed_id: int, deaths: int, now: float) -> None:
    """Nothing claims it any more; who waits for it is told, and its owner."""
    row = (
        session.connection()
        .execute(
            select(
                col(User.id), col(User.username), col(Goal.slug), col(Feed.label), col(Feed.work)
            )
            .join(Goal, col(Goal.user_id) == col(User.id))
            .join(Feed, col(Feed.goal_id) == col(Goal.id))
            .where(col(Feed.id) == feed_id)
        )
        .one()
    )
    asked = backfills.open_for(session, [feed_id])
    work = Work(row.work or Work.SYNC)
    goal = feed_name(row.username, row.slug, "")
    name = feed_name(row.username, row.slug, row.label)
    message = (
        f"set aside: {_words(deaths, now, DOING[work])}; {_what_to_do(work, name, goal, asked)}"
    )
    error = {"code": resting.SET_ASIDE, "message": message}
    session.connection().execute(
        update(Feed)
        .where(col(Feed.id) == feed_id)
        .values(
            state=FeedState.FAILING.value,
            reason=resting.SET_ASIDE,
            last_error=message,
            failing_since=func.coalesce(col(Feed.failing_since), now),
            lane=Lane.BULK.value,
            lease_until=0.0,
        )
    )
    notices.raise_(
        session,
        user_id=row.id,
        subject=f"feed:{feed_id}",
        kind=resting.SET_ASIDE,
        message=message,
        now=now,
    )
    for backfill in asked:
        backfills.fail(session, backfill.id or 0, error=message, now=now)
    waiting = session.connection().execute(
        update(Cover)
        .where(col(Cover.feed_id) == feed_id, col(Cover.done).is_(False))
        .values(done=True)
        .returning(col(Cover.event_id))
    )
    inbox.finish(session, set(waiting.scalars()), now, error=error)


def event(session: Session, event_id: str, deaths: int, now: float) -> None:
    """Nobody takes it any more; it is shown with the reason, and fit to be replayed."""
    error = {"code": "killed_its_worker", "message": _words(deaths, now, "handled this")}
    session.connection().execute(
        update(Event)
        .where(col(Event.id) == event_id)
        .values(
            state=EventState.DEAD.value, finished_at=now, error=events.given_up(event_id, error)
        )
    )
    endings.tell(session, [event_id])


def _words(deaths: int, now: float, doing: str) -> str:
    last = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return (
        f"the worker died or hung {deaths} times in a row while it {doing} and did nothing else, "
        f"last {last}"
    )


def _what_to_do(work: Work, name: str, goal: str, asked: Sequence[Backfill]) -> str:
    """How to see what happens, in a process of one's own where that can be, and how to go on."""
    again = f"`waggle resume {name}` has it tried again"
    if work == Work.PUSH:
        return f"`waggle datapoints {name}` shows what was to be sent, {again}"
    if work == Work.RECONCILE:
        return (
            f"`waggle reconcile {goal}` does the same in a process of your own and shows how it "
            f"ends, {again}"
        )
    if work == Work.BACKFILL and asked:
        first, last = dashed(asked[0].next_day), dashed(asked[0].last_day)
        days = f"waggle sync {name} --from {first} --to {last}"
        return (
            f"`{days} --preview` reads these days in a process of your own and shows how it ends; "
            f"`waggle resume {name}` has the feed synced again without them, and after that "
            f"`{days}` reads them"
        )
    return (
        f"`waggle sync {name} --preview` reads the same in a process of your own and shows how it "
        f"ends, {again}"
    )
