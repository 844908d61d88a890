"""Which feeds the gates hold up: those that would only be claimed to be put back.

A feed needs two gates, that of its source's account and that of its owner at Beeminder. How far
ahead slots are taken depends on the lane: bulk work is held up first. And whether something urgent
waits for a gate, which then goes first.
"""

from functools import lru_cache
from typing import Any

from sqlalchemy import Integer, Select, and_, case, cast, func, literal, or_, select
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import Session, col

from db import breakers, quotas, resting
from db.aliases import alias
from db.models import Feed, Source
from db.models_limits import Quota
from db.states import Lane

PERSON = f"{quotas.BEEMINDER}:"  # and the id of the user is the key of their gate
# Named once: to make an alias costs more than to ask with it.
_SOURCE, _QUOTA = alias(Source), alias(Quota)
# A worker that waits at a crowded gate holds a slot of its process: so few are let in at once.
ADMITTED = {Lane.URGENT: 1.0, Lane.DEFAULT: 0.75, Lane.BULK: 0.5}
SOON = 0.5  # seconds: what was put back for a slot comes again that late at the most


@lru_cache(maxsize=16)
def held_up(now: float, *, at_source: bool, lane: Lane | None = None) -> ColumnElement[bool]:
    """Feeds whose owner at Beeminder, or (unless it is not asked) whose source, may not be asked.

    The few gates that are full are looked for once, and not the gates of each feed. `lane`: all
    feeds are of this one.
    """
    behind = [
        (each, source_ids)
        for each, ahead in ADMITTED.items()
        if lane in (None, each)
        for source_ids in (_theirs(now, ahead), *([_counted(now, ahead)] if at_source else []))
    ]
    return or_(
        *(
            and_(col(Feed.lane) == each.value, col(Feed.source_id).in_(source_ids))
            for each, source_ids in behind
        )
    )


def _counted(now: float, ahead: float) -> Select[Any]:
    """Ids of the sources that may not be asked."""
    return (
        select(col(_SOURCE.id))
        .join(_QUOTA, col(_SOURCE.quota_key) == col(_QUOTA.key))
        .where(quotas.full(_QUOTA, now, literal(ahead)))
    )


def _theirs(now: float, ahead: float) -> Select[Any]:
    """Ids of the sources whose owner may not be written to."""
    key = col(_QUOTA.key)
    number = func.substr(key, len(PERSON) + 1)
    is_number = and_(number != "", func.ltrim(number, "0123456789") == "")
    owner = case((and_(key.startswith(PERSON), is_number), cast(number, Integer)))
    return (
        select(col(_SOURCE.id))
        .join(_QUOTA, col(_SOURCE.user_id) == owner)
        .where(quotas.full(_QUOTA, now, literal(ahead)))
    )


def urgent_since(session: Session, key: str, now: float) -> float | None:
    """Since when the latest of the urgent feeds is due that wait for this gate; None: none waits.

    Those that nobody holds, and that nothing else holds up. One that is due `SOON` counts.
    """
    elsewhere = [
        col(Feed.source_id).in_(source_ids.where(col(_QUOTA.key) != key))
        for source_ids in (
            _theirs(now, ADMITTED[Lane.URGENT]),
            _counted(now, ADMITTED[Lane.URGENT]),
        )
    ]
    found = session.connection().execute(
        select(func.max(col(Feed.due_at)))
        .join(Source, col(Source.id) == col(Feed.source_id))
        .where(
            col(Feed.lane) == Lane.URGENT.value,
            col(Feed.due_at) <= now + SOON,
            col(Feed.lease_owner).is_(None),
            col(Feed.lease_until) <= now,
            col(Feed.suspect).is_(False),
            resting.claimable(),
            _behind(key),
            ~or_(*elsewhere),
            ~breakers.blocked(now),
        )
    )
    since: float | None = found.scalar_one()
    return since


def _behind(key: str) -> ColumnElement[bool]:
    """Sources whose feeds need this gate."""
    person = key.removeprefix(PERSON)
    if person != key and person.isdecimal():
        return col(Source.user_id) == int(person)
    return col(Source.quota_key) == key
