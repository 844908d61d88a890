"""What waits behind gates that limits have closed, and until when: for people, and to be counted.

Claims pass over such feeds, so nothing is written on them or on their callbacks: what they wait for
is read from the gates as they stand. Only reads.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

from sqlalchemy import Float, Select, SQLColumnExpression, and_, bindparam, select, true
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import Session, col

from db import held_up, quotas
from db.models import Cover, Event, Feed, Source, User
from db.models_limits import Quota
from db.once import Once
from db.states import EventState

NOW: Any = bindparam("now", type_=Float())


@dataclass(frozen=True, slots=True)
class Wait:
    """A closed gate, as whoever waits for it calls it, and when it opens (UTC seconds).

    `seen_at`: when that was so.
    """

    gate: str
    until: float
    seen_at: float

    @property
    def seconds(self) -> float:
        """How long it was then until the opening."""
        return self.until - self.seen_at

    def told(self) -> str:
        """In one line. Never earlier than it is; with the date when that is another day."""
        at = datetime.fromtimestamp(math.ceil(self.until), UTC)
        today = datetime.fromtimestamp(self.seen_at, UTC).date()
        day = "" if at.date() == today else f"{at:%Y-%m-%d} "
        return f"waits for a limit: {self.gate}, until {day}{at:%H:%M:%S} UTC"


def any_closed(session: Session, now: float) -> bool:
    """Has a limit closed a gate? Nearly always not, and then nobody waits for one."""
    return _any_closed().ask(session, {"now": now}).first() is not None


@cache  # each sweep asks
def _any_closed() -> Once:
    return Once(select(col(Quota.key)).where(_closed(NOW)).limit(1))


def of_feeds(
    session: Session, now: float, feed_ids: Collection[int] | None = None
) -> dict[int, Wait]:
    """What these feeds (None: all) wait for, by id; whoever waits for nothing is left out."""
    if not any_closed(session, now):
        return {}
    which = true() if feed_ids is None else col(Feed.id).in_(feed_ids)
    rows = session.connection().execute(behind(now, col(Feed.id).label("who")).where(which))
    return _latest(rows, now)


def of_events(session: Session, now: float, event_ids: Collection[str]) -> dict[str, Wait]:
    """What these events wait for, by id; of several gates the one that opens last."""
    if not any_closed(session, now):
        return {}
    rows = session.connection().execute(
        _of_open_events(behind(now, col(Event.id).label("who"))).where(col(Event.id).in_(event_ids))
    )
    return _latest(rows, now)


def behind(now: float, *columns: SQLColumnExpression[Any]) -> Select[*tuple[Any, ...]]:
    """These columns, and the gate, of feeds that a closed gate holds up now.

    One whose own time has not come yet waits for nothing.
    """
    return (
        select(
            *columns,
            col(Quota.key),
            col(Quota.vendor),
            col(Quota.title),
            col(Quota.closed_until).label("until"),
            col(Source.quota_key),
            col(Source.name),
            col(User.username),
        )
        .select_from(Feed)
        .join(Source, col(Source.id) == col(Feed.source_id))
        .join(User, col(User.id) == col(Source.user_id))
        .join(Quota, col(Quota.key).in_([col(Source.quota_key), held_up.person_key()]))
        .where(
            _closed(now),
            held_up.in_line(now),
        )
        .order_by(col(Quota.closed_until))
    )


def events_behind(now: float, *columns: SQLColumnExpression[Any]) -> Select[*tuple[Any, ...]]:
    """The same of feeds for which events wait, once for each such event."""
    return _of_open_events(behind(now, *columns))


def _of_open_events(asked: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    return (
        asked.join(Cover, col(Cover.feed_id) == col(Feed.id))
        .join(Event, col(Event.id) == col(Cover.event_id))
        .where(col(Cover.done).is_(False), col(Event.state) == EventState.WORKING)
    )


def _closed(now: float) -> ColumnElement[bool]:
    return and_(
        col(Quota.closed_until) > now,
        quotas.was_closed(),
        col(Quota.vendor) != held_up.OURS,
    )


def _latest(rows: Any, now: float) -> dict[Any, Wait]:  # noqa: ANN401 -- rows of `behind`
    """By who waits. The rows come in the order of their openings: the last one stays."""
    return {row.who: Wait(_name(row), row.until, now) for row in rows}


def _name(row: Any) -> str:  # noqa: ANN401 -- as above
    """The owner's own names: a gate that is shared bears those of other people's sources too."""
    if row.key != row.quota_key:
        return f"{row.vendor}:{row.username}"
    return f"{row.vendor}:{row.title or row.name}"
