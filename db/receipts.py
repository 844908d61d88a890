"""The receipt of one day: what the source said, who asked, what was sent and what was answered.

Everything is read from rows that were written when it happened; nothing is worked out again. A
claim's epoch ties them together: the claim that read the day, those that sent its datapoints, and
the covers of the callbacks that these claims answered.
"""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import and_, func, select
from sqlalchemy.orm import aliased
from sqlmodel import Session, col
from sqlmodel import select as select_rows

from db import retention
from db.models import Cover, Event, Feed, Goal, Source, User
from db.models_points import Datapoint, Day, Sending

KEPT = 2  # sendings of a datapoint that are never forgotten


@dataclass(frozen=True, slots=True)
class Sent:
    """A datapoint and every remembered try to write it, the first one first."""

    point: Datapoint
    sendings: tuple[Sending, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """One day of one feed. `events` asked for it, in the order in which they came in."""

    feed: Feed
    goal: Goal
    user: User
    source: Source
    daystamp: str
    day: Day | None
    sent: tuple[Sent, ...]
    events: tuple[Event, ...]

    @property
    def is_known(self) -> bool:
        """Has this ledger read, sent or pinned anything of the day?"""
        return bool(self.sent) or self.day is not None


def receipt(session: Session, feed_id: int, daystamp: str) -> Receipt:
    """What the ledger knows of this day of a feed."""
    feed = session.get_one(Feed, feed_id)
    goal = session.get_one(Goal, feed.goal_id)
    day = session.get(Day, (feed_id, daystamp))
    sent = _sent(session, feed_id, daystamp)
    epochs = {sending.epoch for one in sent for sending in one.sendings}
    if day is not None and day.epoch is not None:
        epochs.add(day.epoch)
    return Receipt(
        feed=feed,
        goal=goal,
        user=session.get_one(User, goal.user_id),
        source=session.get_one(Source, feed.source_id),
        daystamp=daystamp,
        day=day,
        sent=sent,
        events=_events(session, feed_id, epochs),
    )


def _sent(session: Session, feed_id: int, daystamp: str) -> tuple[Sent, ...]:
    points = session.exec(
        select_rows(Datapoint)
        .where(col(Datapoint.feed_id) == feed_id, col(Datapoint.daystamp) == daystamp)
        .order_by(func.coalesce(col(Datapoint.timestamp), 0), col(Datapoint.id))
    ).all()
    tries: dict[int, list[Sending]] = {point.id or 0: [] for point in points}
    for sending in session.exec(
        select_rows(Sending)
        .where(col(Sending.datapoint_id).in_(tries))
        .order_by(col(Sending.sent_at), col(Sending.id))
    ):
        tries[sending.datapoint_id].append(sending)
    return tuple(Sent(point, tuple(tries[point.id or 0])) for point in points)


def _events(session: Session, feed_id: int, epochs: Collection[int]) -> tuple[Event, ...]:
    return tuple(
        session.exec(
            select_rows(Event)
            .join(Cover, col(Cover.event_id) == col(Event.id))
            .where(col(Cover.feed_id) == feed_id, col(Cover.epoch).in_(epochs))
            .order_by(col(Event.received_at), col(Event.id))
        )
    )


def forget(session: Session, sent_before: float) -> int:
    """Delete some sendings from before then, never the last two of a datapoint; how many."""
    later = aliased(Sending)
    newer = (
        select(func.count())
        .where(
            col(later.datapoint_id) == col(Sending.datapoint_id), col(later.id) > col(Sending.id)
        )
        .scalar_subquery()
    )
    return retention.some(session, Sending, and_(col(Sending.sent_at) < sent_before, newer >= KEPT))
