"""What pages show, read from the ledger: only one person's things, or everybody's."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, or_, select, true
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import Session, col

from db import approvals, names, resting, waits
from db.models import Event, Feed, Goal, Run, Source, User
from db.models_points import Datapoint, Day
from db.states import DatapointState
from db.waits import Wait

MOST_FEEDS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownFeed:
    """A feed with what it last did, and the limit that it waits for. Times are UTC seconds."""

    id: int
    username: str
    slug: str
    label: str
    source: str
    provider: str
    metric: str
    state: str
    reason: str | None
    last_error: str | None
    last_synced_at: float | None
    due_at: float
    pending: int
    held: int
    value: float | None
    daystamp: str | None
    wait: Wait | None

    @property
    def next_at(self) -> float | None:
        """When it is looked at next, not before a limit lets it; None: it is not."""
        if not resting.is_claimable(self.state, self.reason):
            return None
        return self.due_at if self.wait is None else max(self.due_at, self.wait.until)

    @property
    def name(self) -> str:
        """What commands call it."""
        return names.feed_name(self.username, self.slug, self.label)


def feeds(
    session: Session,
    now: float,
    *,
    user_id: int | None,
    username: str | None = None,
    slug: str | None = None,
) -> list[ShownFeed]:
    """The feeds of this person (None: of everybody), by goal; of one goal when it is named."""
    query: Select[*tuple[Any, ...]] = (
        select(
            col(Feed.id),
            col(User.username),
            col(Goal.slug),
            col(Feed.label),
            col(Source.name).label("source"),
            col(Source.provider),
            col(Feed.metric),
            col(Feed.state),
            col(Feed.reason),
            col(Feed.last_error),
            col(Feed.last_synced_at),
            col(Feed.due_at),
        )
        .join(Goal, col(Goal.id) == col(Feed.goal_id))
        .join(User, col(User.id) == col(Goal.user_id))
        .join(Source, col(Source.id) == col(Feed.source_id))
        .where(
            _of(user_id),
            true() if username is None else func.lower(col(User.username)) == username.lower(),
            true() if slug is None else col(Goal.slug) == slug.lower(),
        )
        .order_by(col(User.username), col(Goal.slug), col(Feed.label))
        .limit(MOST_FEEDS)
    )
    rows = session.connection().execute(query).mappings().all()
    ids = [row["id"] for row in rows]
    waiting, last = _waiting(session, ids), _last_values(session, ids)
    limited = waits.of_feeds(session, now, ids)
    return [
        ShownFeed(
            **row,
            pending=waiting.get((row["id"], DatapointState.PENDING), 0),
            held=waiting.get((row["id"], DatapointState.HELD), 0),
            value=last.get(row["id"], (None, None))[0],
            daystamp=last.get(row["id"], (None, None))[1],
            wait=limited.get(row["id"]),
        )
        for row in rows
    ]


def limits(feeds: Sequence[ShownFeed]) -> list[tuple[Wait, int]]:
    """Which gates these feeds wait for, the first to open first, and how many wait for each."""
    found = Counter(feed.wait for feed in feeds if feed.wait is not None)
    return sorted(found.items(), key=lambda item: (item[0].until, item[0].gate))


def datapoints(session: Session, feed_ids: Collection[int], *, limit: int) -> list[dict[str, Any]]:
    """What was sent or is to be sent, the newest day first."""
    rows = session.connection().execute(
        select(
            col(Datapoint.daystamp),
            col(Datapoint.timestamp),
            col(Datapoint.value),
            col(Datapoint.landed_value),
            col(Datapoint.comment),
            col(Datapoint.state),
            col(Datapoint.frozen),
            col(Datapoint.error),
            col(Datapoint.sent_at),
            col(Datapoint.landed_at),
        )
        .where(col(Datapoint.feed_id).in_(feed_ids))
        .order_by(col(Datapoint.daystamp).desc(), col(Datapoint.id).desc())
        .limit(limit)
    )
    return [dict(row) for row in rows.mappings()]


def held(session: Session, feed_id: int) -> list[dict[str, Any]]:
    """Corrections that wait for a decision: what is there, what the source says, and why."""
    return [
        {
            "daystamp": row.daystamp,
            "there": row.landed_value,
            "value": row.value,
            "why": row.error,
            "held_at": row.held_at,
        }
        for row in approvals.held(session, [feed_id])
    ]


def notes(session: Session, feed_id: int, *, limit: int) -> list[dict[str, Any]]:
    """Days of which no datapoint was made, and why, or that are pinned; the newest first."""
    rows = session.connection().execute(
        select(col(Day.daystamp), col(Day.value), col(Day.unit), col(Day.note), col(Day.pinned))
        .where(
            col(Day.feed_id) == feed_id, or_(col(Day.note).is_not(None), col(Day.pinned).is_(True))
        )
        .order_by(col(Day.daystamp).desc())
        .limit(limit)
    )
    return [dict(row) for row in rows.mappings()]


def events(
    session: Session, now: float, *, user_id: int | None, before: str | None, limit: int
) -> list[dict[str, Any]]:
    """The inbox, newest first; `before` is the id of the last one of the page before."""
    query: Select[*tuple[Any, ...]] = (
        select(
            col(Event.id),
            col(Event.kind),
            col(User.username),
            func.coalesce(col(Goal.slug), col(Event.payload)["slug"].as_string()).label("slug"),
            col(Event.state),
            col(Event.attempts),
            col(Event.datapoints),
            col(Event.error),
            col(Event.received_at),
            col(Event.finished_at),
        )
        .join(User, col(User.id) == col(Event.user_id), isouter=True)
        .join(Goal, col(Goal.id) == col(Event.goal_id), isouter=True)
        .where(_of(user_id), true() if before is None else col(Event.id) < before)
        .order_by(col(Event.id).desc())
        .limit(limit)
    )
    rows = session.connection().execute(query).mappings().all()
    limited = waits.of_events(session, now, [row["id"] for row in rows])
    return [{**row, "wait": limited.get(row["id"])} for row in rows]


def runs(session: Session, *, user_id: int | None, limit: int) -> list[dict[str, Any]]:
    """The runs that are or were followed, newest first."""
    query: Select[*tuple[Any, ...]] = (
        select(
            col(Run.run_id),
            col(Source.name).label("source"),
            col(Run.state),
            col(Run.progress),
            col(Run.attempt),
            col(Run.started_at),
            col(Run.finished_at),
        )
        .join(Source, col(Source.id) == col(Run.source_id))
        .join(User, col(User.id) == col(Source.user_id))
        .where(_of(user_id))
        .order_by(col(Run.id).desc())
        .limit(limit)
    )
    return [dict(row) for row in session.connection().execute(query).mappings()]


def _of(user_id: int | None) -> ColumnElement[bool]:
    return true() if user_id is None else col(User.id) == user_id


def _waiting(session: Session, feed_ids: Collection[int]) -> dict[tuple[int, str], int]:
    rows = session.connection().execute(
        select(col(Datapoint.feed_id), col(Datapoint.state), func.count())
        .where(
            col(Datapoint.feed_id).in_(feed_ids),
            col(Datapoint.state).in_((DatapointState.PENDING, DatapointState.HELD)),
        )
        .group_by(col(Datapoint.feed_id), col(Datapoint.state))
    )
    return {(feed_id, state): count for feed_id, state, count in rows}


def _last_values(
    session: Session, feed_ids: Collection[int]
) -> dict[int, tuple[float, str | None]]:
    newest = func.row_number().over(
        partition_by=col(Datapoint.feed_id),
        order_by=(col(Datapoint.daystamp).desc(), col(Datapoint.id).desc()),
    )
    ranked = (
        select(
            col(Datapoint.feed_id),
            col(Datapoint.value),
            col(Datapoint.daystamp),
            newest.label("place"),
        )
        .where(
            col(Datapoint.feed_id).in_(feed_ids),
            col(Datapoint.state) == DatapointState.LANDED,
        )
        .subquery()
    )
    rows = session.connection().execute(
        select(ranked.c.feed_id, ranked.c.value, ranked.c.daystamp).where(ranked.c.place == 1)
    )
    return {feed_id: (value, daystamp) for feed_id, value, daystamp in rows}
