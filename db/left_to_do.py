"""Is there more to do? One question instead of three, asked after each piece of work.

Mostly there is nothing, and nobody has to be told so three times over the way to a server.
"""

from functools import cache

from sqlalchemy import or_, select
from sqlmodel import Session, col

from db import claiming, events, opening
from db.events import ASKS_FOR_FEEDS
from db.models import Event
from db.once import Once
from db.states import Lane


def any_left(session: Session, lane: Lane, now: float) -> bool:
    """Is there a callback to open, a feed of this lane to sync, or a name to look up?"""
    found: bool = _any_left(lane).ask(session, {"now": now}).scalar_one()
    return found


@cache
def _any_left(lane: Lane) -> Once:
    asked = [
        select(col(Event.id)).where(opening.NEW).limit(1).scalar_subquery(),
        *claiming.firsts(lane),
        select(col(Event.id)).where(events.due(ASKS_FOR_FEEDS)).limit(1).scalar_subquery(),
    ]
    return Once(select(or_(*(found.is_not(None) for found in asked))))
