"""The journey of one event, from its arrival to the datapoints that it made. Only reads.

Everything is read from rows that were written when it happened. A claim's epoch ties them
together: the covers that it stamped, the days that it read, and what it sent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import RowMapping, and_, select
from sqlmodel import Session, col

from db import waits
from db.models import Cover, Event, Feed, Goal, Source, User
from db.models_points import Datapoint, Day, Sending
from db.names import feed_name
from db.waits import Wait

MOST = 50  # of each: covers, days, sendings, replays
OF_COVERS = (
    *("feed_id", "source", "metric", "state", "last_error"),
    *("epoch", "attempts", "deferrals", "written", "done"),
)
LATER = 60.0  # a sending is marked with the clock of its worker, the end of an event with another


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """What one feed did for the event: its cover, the days read and the tries made by its claim.

    `epoch` is None while no claim has taken it; then nothing was read or sent.
    """

    feed_id: int
    feed: str
    source: str
    metric: str
    state: str
    epoch: int | None
    attempts: int
    deferrals: int
    written: int
    done: bool
    last_error: str | None
    days: tuple[RowMapping, ...] = ()
    sendings: tuple[RowMapping, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Journey:
    """An event with what it led to. `replays`: the events that tried it again, oldest first."""

    event: Event
    username: str | None
    slug: str | None
    wait: Wait | None
    legs: tuple[Leg, ...]
    replays: tuple[RowMapping, ...]


def journey(
    session: Session, event_id: str, now: float, *, user_id: int | None = None
) -> Journey | None:
    """The journey of this event; None where there is none, or it is not this person's."""
    found = (
        session.connection()
        .execute(
            select(col(User.username), col(Goal.slug), col(Event.user_id))
            .select_from(Event)
            .join(User, col(User.id) == col(Event.user_id), isouter=True)
            .join(Goal, col(Goal.id) == col(Event.goal_id), isouter=True)
            .where(col(Event.id) == event_id)
        )
        .one_or_none()
    )
    if found is None or (user_id is not None and found.user_id != user_id):
        return None
    event = session.get_one(Event, event_id)
    return Journey(
        event=event,
        username=found.username or event.payload.get("username"),
        slug=found.slug or event.payload.get("slug"),
        wait=waits.of_events(session, now, [event_id]).get(event_id),
        legs=_legs(session, event, now),
        replays=_replays(session, event_id),
    )


def _legs(session: Session, event: Event, now: float) -> tuple[Leg, ...]:
    rows = (
        session.connection()
        .execute(
            select(
                col(Cover.feed_id),
                col(Cover.epoch),
                col(Cover.attempts),
                col(Cover.deferrals),
                col(Cover.written),
                col(Cover.done),
                col(Feed.label),
                col(Feed.metric),
                col(Feed.state),
                col(Feed.last_error),
                col(Goal.slug),
                col(User.username),
                col(Source.name).label("source"),
            )
            .join(Feed, col(Feed.id) == col(Cover.feed_id))
            .join(Goal, col(Goal.id) == col(Feed.goal_id))
            .join(User, col(User.id) == col(Goal.user_id))
            .join(Source, col(Source.id) == col(Feed.source_id))
            .where(col(Cover.event_id) == event.id)
            .order_by(col(Feed.label), col(Feed.id))
            .limit(MOST)
        )
        .mappings()
        .all()
    )
    days = _days(session, event.id) if rows else []
    sendings = _sendings(session, event, now) if rows else []
    return tuple(
        Leg(
            feed=feed_name(row["username"], row["slug"], row["label"]),
            days=tuple(day for day in days if day["feed_id"] == row["feed_id"]),
            sendings=tuple(sent for sent in sendings if sent["feed_id"] == row["feed_id"]),
            **{name: row[name] for name in OF_COVERS},
        )
        for row in rows
    )


def _days(session: Session, event_id: str) -> Sequence[RowMapping]:
    """Days that these claims were the last ones to read."""
    by_claim = and_(col(Day.feed_id) == col(Cover.feed_id), col(Day.epoch) == col(Cover.epoch))
    return _rows(
        session,
        select(
            col(Day.feed_id),
            col(Day.daystamp),
            col(Day.value),
            col(Day.unit),
            col(Day.note),
            col(Day.seen_at),
        )
        .join(Cover, by_claim)
        .where(col(Cover.event_id) == event_id)
        .order_by(col(Day.daystamp).desc())
        .limit(MOST),
    )


def _sendings(session: Session, event: Event, now: float) -> Sequence[RowMapping]:
    """What these claims sent. The instants keep the look at one feed of many years short."""
    until = (now if event.finished_at is None else event.finished_at) + LATER
    by_claim = and_(
        col(Datapoint.feed_id) == col(Cover.feed_id), col(Sending.epoch) == col(Cover.epoch)
    )
    return _rows(
        session,
        select(
            col(Datapoint.feed_id),
            col(Datapoint.daystamp),
            col(Datapoint.requestid),
            col(Sending.value),
            col(Sending.sent_at),
            col(Sending.answered_at),
            col(Sending.status),
            col(Sending.request_id),
            col(Sending.error),
        )
        .select_from(Sending)
        .join(Datapoint, col(Datapoint.id) == col(Sending.datapoint_id))
        .join(Cover, by_claim)
        .where(
            col(Cover.event_id) == event.id,
            col(Sending.sent_at).between(event.received_at - LATER, until),
        )
        .order_by(col(Sending.sent_at), col(Sending.id))
        .limit(MOST),
    )


def _replays(session: Session, event_id: str) -> tuple[RowMapping, ...]:
    return tuple(
        _rows(
            session,
            select(col(Event.id), col(Event.state), col(Event.received_at))
            .where(col(Event.replay_of) == event_id)
            .order_by(col(Event.id))
            .limit(MOST),
        )
    )


def _rows(session: Session, asked: Any) -> Sequence[RowMapping]:  # noqa: ANN401 -- selects of any columns
    return session.connection().execute(asked).mappings().all()
