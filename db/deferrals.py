"""Counting the events that wait behind a closed gate, which nobody claims only to put them back.

Once for each time that a limit makes one wait, whoever it refused: until when an event is known to
wait stands in its `due_at`. A gate that is closed for longer meanwhile is the same wait.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import Row, bindparam, update
from sqlmodel import Session, col

from db import covers, feeds, waits
from db.models import Cover, Event, Feed
from db.models_limits import Quota
from db.once import Once

AT_MOST = 1000  # at once; the next call goes on


def any_new(session: Session, now: float) -> bool:
    """Is there an event whose wait is not written down yet?"""
    return waits.any_closed(session, now) and bool(_new(session, now, limit=1))


def count(session: Session, now: float, *, at_most: int = AT_MOST) -> int:
    """Write down how long events wait, and count those that did not before; returns how many."""
    found = _new(session, now, limit=at_most)
    feeds.lock(session, col(Feed.id).in_({row.feed_id for row in found}))
    found = _new(session, now, limit=at_most)  # as it is now that nobody else counts them
    until = {row.event_id: row.until for row in found}  # the last opening of each
    counted = {row.event_id for row in found if row.due_at <= now}
    session.connection().execute(
        update(Cover)
        .where(
            col(Cover.event_id).in_(counted),
            col(Cover.feed_id).in_({row.feed_id for row in found}),
            col(Cover.done).is_(False),
        )
        .values(deferrals=col(Cover.deferrals) + 1)
    )
    covers.count_tries(session, until)
    for at in set(until.values()):
        theirs = [event_id for event_id, opens_at in until.items() if opens_at == at]
        session.connection().execute(
            update(Event).where(col(Event.id).in_(theirs)).values(due_at=at)
        )
    return len(counted)


def _new(session: Session, now: float, *, limit: int) -> Sequence[Row[Any]]:
    found: Sequence[Row[Any]] = _asked().ask(session, {"now": now, "at_most": limit}).all()
    return found


@cache  # while a gate is closed each sweep asks
def _asked() -> Once:
    asked = waits.events_behind(
        waits.NOW,
        col(Event.id).label("event_id"),
        col(Feed.id).label("feed_id"),
        col(Event.due_at),
    )
    new = asked.where(col(Event.due_at) < col(Quota.closed_until))
    return Once(new.limit(bindparam("at_most")))
