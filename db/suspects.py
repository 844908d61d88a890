"""Suspects: work at which a worker has died, tried again one by one and alone in a process.

Usual claims pass them over; those that say `alone` take one of them (`db.claiming`, `db.backfills`,
`db.reconciling`, `db.events`, `db.errands`; `db.datasources` and `db.sources` for what has no
lease). So that others go on serving callbacks, one process at a time makes room for them: it has
the turn, a quota of our own.
"""

from collections.abc import Collection

from sqlalchemy import select, update
from sqlmodel import Session, col

from db import (
    backfills,
    claiming,
    claiming_outbox,
    datasources,
    errands,
    events,
    quotas,
    reconciling,
    resting,
    sources,
    taking,
)
from db.models import Feed
from db.models_limits import Quota
from db.once import Once
from db.states import EventKind, Lane

TURN = "suspects"
OURS = "waggle"  # no vendor's: nobody has to know of it

# Named once: each sweep asks.
_ANY_FEED = Once(
    select(col(Feed.id)).where(col(Feed.suspect).is_(True), resting.claimable()).limit(1)
)
_ANY_DUE = Once(
    select(col(Feed.id)).where(claiming.due(taking.NOW, Lane.BULK, alone=True)).limit(1)
)


def any_due(session: Session, kinds: Collection[EventKind], now: float) -> bool:
    """Is there something that could be tried alone now? `kinds`: events that no feed answers."""
    if events.any_due(session, kinds, now, alone=True):
        return True
    if datasources.any_due(session, now, alone=True) or sources.expiring(session, now, alone=True):
        return True
    if errands.any_due(session, now, alone=True):
        return True
    if _ANY_FEED.ask(session).first() is None:
        return False  # as nearly always
    return (
        _ANY_DUE.ask(session, {"now": now}).first() is not None
        or claiming_outbox.any_due(session, now, alone=True)
        or backfills.any_due(session, now, alone=True)
        or reconciling.any_overdue(session, now, alone=True)
    )


def take_turn(session: Session, now: float, seconds: float) -> float | None:
    """Make room for suspects in this process until the returned instant; None: it is not free."""
    quotas.ensure(session, TURN, vendor=OURS, title=TURN)
    taken = session.connection().execute(
        update(Quota)
        .where(col(Quota.key) == TURN, col(Quota.next_free_at) <= now)
        .values(next_free_at=now + seconds)
    )
    return now + seconds if taken.rowcount == 1 else None


def move_turn(session: Session, ends_at: float, to: float) -> float:
    """Have the turn that ends at `ends_at` end at `to` instead, unless somebody else has it."""
    session.connection().execute(
        update(Quota)
        .where(col(Quota.key) == TURN, col(Quota.next_free_at) == ends_at)
        .values(next_free_at=to)
    )
    return to
