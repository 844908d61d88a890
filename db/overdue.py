"""Since when work could have been done that nobody does.

What a vendor makes us wait for is not late. Behind a gate that was closed, or a breaker that is
open, a feed counts only from the moment at which it might have gone. A gate that is merely crowded
is no excuse: work that is always too much for it has to be seen.
"""

import math
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, and_, case, func, select
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import Session, col

from db import breakers, quotas, resting
from db.models import Event, Feed, Source
from db.models_limits import Breaker, Quota
from db.states import EventState, Lane

PATIENCE_SECONDS = 60.0  # how long due work may wait while nothing else is done
NOBODY = (0.0, 0.0)  # is in the way: of scheduled work, of a callback


def oldest(session: Session, now: float) -> float:
    """Seconds since the oldest work that nobody holds could have been done; 0.0: nothing waits."""
    found = [at for at in (_feeds(session, now), _events(session, now)) if at is not None]
    return max((now - at for at in found), default=0.0)


def urgent(session: Session, now: float) -> float:
    """The same for what callbacks ask for."""
    found = [at for at in (_feeds(session, now, (Lane.URGENT,)), _events(session, now)) if at]
    return max((now - at for at in found), default=0.0)


def since_sync(session: Session, now: float) -> float:
    """Seconds since any feed was synced; infinite where none ever was."""
    at = session.connection().execute(select(func.max(col(Feed.last_synced_at)))).scalar_one()
    return math.inf if at is None else max(0.0, now - float(at))


def _events(session: Session, now: float) -> float | None:
    """The same for what no feed answers; one person's wait behind the same breaker."""
    asked = (
        select(col(Event.user_id), func.min(col(Event.due_at)).label("due_at"))
        .where(
            col(Event.state) == EventState.RECEIVED,
            col(Event.due_at) <= now,
            col(Event.lease_until) <= now,
        )
        .group_by(col(Event.user_id))
    )
    rows = session.connection().execute(asked).all()
    probed = _probed(session) if rows else {}
    starts = [
        max(row.due_at, probed.get(breakers.link(row.user_id or 0), NOBODY)[True]) for row in rows
    ]
    return min((at for at in starts if at <= now), default=None)


def _feeds(session: Session, now: float, lanes: Sequence[Lane] = tuple(Lane)) -> float | None:
    """The first instant at which a feed that is due might have gone; None where none might."""
    due = and_(
        col(Feed.lane).in_([lane.value for lane in lanes]),  # or no index helps
        col(Feed.due_at) <= now,
        col(Feed.lease_until) <= now,
        resting.claimable(),
    )
    first = session.connection().execute(select(func.min(col(Feed.due_at))).where(due)).scalar_one()
    if first is None:
        return None
    opened, probed = _opened(session, first), _probed(session)
    if not opened and not probed:
        return float(first)
    starts = [
        max(
            row.due_at,
            opened.get(row.quota_key, 0.0),
            opened.get(f"{quotas.BEEMINDER}:{row.user_id}", 0.0),
            probed.get(breakers.source(row.source_id), NOBODY)[row.urgent],
            probed.get(breakers.link(row.user_id), NOBODY)[row.urgent],
        )
        for row in _first_of_each(session, due)
    ]
    return min((at for at in starts if at <= now), default=None)


def _first_of_each(session: Session, due: ColumnElement[bool]) -> Sequence[Row[*tuple[Any, ...]]]:
    """The oldest of each source: what may hold its feeds up is the same for all of them."""
    urgent = case((col(Feed.lane) == Lane.URGENT.value, 1), else_=0)
    first = (
        select(
            col(Feed.source_id).label("source_id"),
            urgent.label("urgent"),
            func.min(col(Feed.due_at)).label("due_at"),
        )
        .where(due)
        .group_by(col(Feed.source_id), urgent)
        .subquery("first")
    )
    rows = session.connection().execute(
        select(first, col(Source.user_id), col(Source.quota_key)).join(
            Source, col(Source.id) == first.c.source_id
        )
    )
    return rows.all()


def _opened(session: Session, since: float) -> dict[str, float]:
    """When gates open or opened that were closed at some time after `since`, by key."""
    rows = session.connection().execute(
        select(col(Quota.key), col(Quota.closed_until)).where(
            col(Quota.closed_until) > since, quotas.was_closed()
        )
    )
    return {row.key: row.closed_until for row in rows}


def _probed(session: Session) -> dict[str, tuple[float, float]]:
    """When those with an open breaker may be tried again: by scheduled work, by a callback."""
    rows = session.connection().execute(
        select(col(Breaker.subject), col(Breaker.probe_at), col(Breaker.probed_at)).where(
            col(Breaker.opened_at).is_not(None)
        )
    )
    return {
        subject: (probe_at, probed_at + breakers.URGENT_SECONDS)
        for subject, probe_at, probed_at in rows
    }
