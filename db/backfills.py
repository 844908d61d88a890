"""Backfills: days of a feed that a person wants read again, worked off in chunks.

A row says how far it has come. A chunk is claimed like any work on a feed, by the feed's lease and
epoch, and only while the feed itself is not due: a callback goes first. Nobody needs to remember
which chunk was at work: one that was not ended is done again, and the same facts give the same
datapoints.
"""

from collections.abc import Collection, Sequence
from functools import cache

from sqlalchemy import and_, case, func, select, update
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import Session, col
from sqlmodel import select as select_rows

from db import breakers, feeds, notices, resting, suspicion, taking
from db.feeds import Claim
from db.models import Backfill, Feed, Goal, User
from db.names import feed_name
from db.once import Once
from db.states import BackfillState, Work

NOTICE = "backfill"  # the kind of notice that tells how one fares that nobody looks at


class OtherBackfillError(Exception):
    """Other days of this feed are being backfilled already."""

    def __init__(self, other: Backfill) -> None:
        super().__init__(f"{other.first_day} to {other.last_day} is being backfilled")
        self.first_day, self.last_day = other.first_day, other.last_day


def ask(session: Session, feed_id: int, *, first: str, last: str, now: float) -> Backfill:
    """Have these days (YYYYMMDD, both included) read again.

    An open wish from the same day on is joined, and goes on to the later of both last days: "until
    today" is another day tomorrow. Raises `OtherBackfillError` while this feed has another one.
    """
    feeds.lock(session, col(Feed.id) == feed_id)  # of two people who ask at once, one joins
    found = next(iter(open_for(session, [feed_id])), None)
    if found is not None:
        if found.first_day != first:
            raise OtherBackfillError(found)
        found.last_day = max(found.last_day, last)
        session.add(found)
        return found
    made = Backfill(
        feed_id=feed_id, first_day=first, last_day=last, next_day=first, due_at=now, asked_at=now
    )
    session.add(made)
    session.flush()
    notices.clear(session, subject=f"feed:{feed_id}", kind=NOTICE, now=now)
    return made


def open_for(session: Session, feed_ids: Collection[int] | None = None) -> Sequence[Backfill]:
    """Backfills that have not ended, of these feeds or (None) of all, the oldest first."""
    asked = select_rows(Backfill).where(col(Backfill.state) == BackfillState.WORKING)
    if feed_ids is not None:
        asked = asked.where(col(Backfill.feed_id).in_(feed_ids))
    return session.exec(asked.order_by(col(Backfill.asked_at), col(Backfill.id))).all()


def named(session: Session) -> list[tuple[str, Backfill]]:
    """Backfills that have not ended with the names of their feeds, the oldest first."""
    rows = session.exec(
        select_rows(User.username, Goal.slug, Feed.label, Backfill)
        .join(Feed, col(Backfill.feed_id) == col(Feed.id))
        .join(Goal, col(Feed.goal_id) == col(Goal.id))
        .join(User, col(Goal.user_id) == col(User.id))
        .where(col(Backfill.state) == BackfillState.WORKING)
        .order_by(col(Backfill.asked_at), col(Backfill.id))
    )
    return [(feed_name(username, slug, label), row) for username, slug, label, row in rows]


def any_due(session: Session, now: float, *, alone: bool = False) -> bool:
    """Is there a chunk that a worker could do now? `alone`: of a feed that runs alone."""
    found = _any_due(alone=alone).ask(session, {"now": now})
    return found.first() is not None


@cache
def _any_due(*, alone: bool) -> Once:
    waiting = _waiting(taking.NOW, alone=alone)
    return Once(select(col(Feed.id)).where(waiting, ~breakers.blocked(taking.NOW)).limit(1))


def claim(
    session: Session, *, owner: str, now: float, alone: bool = False
) -> tuple[Claim, Backfill] | None:
    """Lease a feed for the next chunk of its backfill; None when nothing is to be done."""
    waiting = _waiting(now, alone=alone)
    taken = taking.take_of_one(session, waiting, owner, now, 1, work=Work.BACKFILL, alone=alone)
    held = next(iter(taken), None)
    if held is None:
        return None
    row = next(iter(open_for(session, [held.feed_id])), None)
    if row is None:  # cancelled at this very moment
        feeds.release(session, held)
        return None
    return held, row


def advance(
    session: Session,
    backfill_id: int,
    *,
    next_day: str,
    last_day: str,
    written: int,
    held: int,
    now: float,
) -> None:
    """A chunk is done: go on with `next_day`, or end when that is past the last day.

    The last day is what the row says now (it may have been asked for more), or `last_day` if that
    is later. Call it in the transaction that ends the claim, once it is known to hold. One that was
    cancelled stays so.
    """
    last = case((col(Backfill.last_day) < last_day, last_day), else_=col(Backfill.last_day))
    done = last < next_day
    _update(
        session,
        col(Backfill.id) == backfill_id,
        next_day=next_day,
        last_day=last,
        written=col(Backfill.written) + written,
        held=col(Backfill.held) + held,
        attempts=0,
        deferrals=0,
        garbled=0,
        stuck_since=None,
        due_at=now,
        error=None,
        state=case((done, BackfillState.DONE.value), else_=BackfillState.WORKING.value),
        finished_at=case((done, now), else_=None),
    )


def put_back(
    session: Session,
    backfill_id: int,
    *,
    due_at: float,
    error: str,
    deferred: bool,
    now: float,
    free: bool = True,
    garbled: bool = False,
    written: int = 0,
) -> None:
    """Not now: the chunk is tried again at `due_at`.

    `deferred`: a limit said so, which costs no attempt while it is `free`. `garbled`: an answer of
    the wrong shape did. `written`: what landed of it all the same.
    """
    counted: dict[str, object] = {}
    if not (deferred and free):
        counted["attempts"] = col(Backfill.attempts) + 1
        counted["garbled"] = col(Backfill.garbled) + 1 if garbled else 0
    _update(
        session,
        col(Backfill.id) == backfill_id,
        due_at=due_at,
        error=error,
        deferrals=col(Backfill.deferrals) + int(deferred),
        stuck_since=func.coalesce(col(Backfill.stuck_since), now),
        written=col(Backfill.written) + written,
        **counted,
    )


def fail(session: Session, backfill_id: int, *, error: str, now: float, written: int = 0) -> None:
    """A person has to do something first, and then ask for it again."""
    _update(
        session,
        col(Backfill.id) == backfill_id,
        state=BackfillState.FAILED.value,
        error=error,
        attempts=col(Backfill.attempts) + 1,
        written=col(Backfill.written) + written,
        finished_at=now,
    )


def cancel(session: Session, feed_ids: Collection[int], now: float) -> int:
    """End what is open of these feeds; returns how many. What was sent stays sent."""
    feeds.lock(session, col(Feed.id).in_(feed_ids))
    session.connection().execute(
        update(Feed)
        .where(col(Feed.id).in_(feed_ids), col(Feed.suspect).is_(True))
        .values(**suspicion.dropped(Work.BACKFILL))
    )
    for feed_id in feed_ids:
        notices.clear(session, subject=f"feed:{feed_id}", kind=NOTICE, now=now)
    return _update(
        session,
        col(Backfill.feed_id).in_(feed_ids),
        state=BackfillState.CANCELLED.value,
        finished_at=now,
    )


def _waiting(now: float, *, alone: bool) -> ColumnElement[bool]:
    """Feeds with a chunk to be done. Those that are due themselves are synced first."""
    # Not the other way round: of all feeds few have one.
    chunk = select(col(Backfill.feed_id)).where(
        col(Backfill.state) == BackfillState.WORKING, col(Backfill.due_at) <= now
    )
    return and_(
        resting.running(),
        taking.free(now),
        col(Feed.due_at) > now,
        taking.clear(now, alone=alone),
        col(Feed.id).in_(chunk),
    )


def _update(session: Session, where: ColumnElement[bool], **columns: object) -> int:
    changed = session.connection().execute(
        update(Backfill)
        .where(where, col(Backfill.state) == BackfillState.WORKING)
        .values(**columns)
        .execution_options(synchronize_session=False)
    )
    return changed.rowcount
