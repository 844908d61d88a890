"""A turn at a gate of which nothing is known, by one statement and without a look first.

Most gates are open, nothing was learned of them, and no window is nearly used up: there the pace is
our own. The statement says that as a condition, so whatever else is known by then counts.
"""

from sqlalchemy import Float, bindparam
from sqlmodel import Session, col

from db import hasty, quotas
from db.models_limits import Quota
from db.once import Once
from db.quotas import Turn

_NOTHING_LEARNED = col(Quota.learned_interval) == 0.0
_NO_SPREAD = col(Quota.spread_until) <= bindparam("at", type_=Float)
_TAKING = Once(quotas.reserving(_NOTHING_LEARNED, _NO_SPREAD).returning(hasty.said()))
_MARKING = Once(quotas.MARKING.returning(hasty.said()))


def take(
    session: Session, key: str, *, now: float, interval: float, tolerance: float, ahead: float
) -> Turn | None:
    """As `quotas.reserve`; None where there is more to be known, or no slot so near.

    For a block of `Ledger.write_one` that need not be durable.
    """
    until = now + tolerance + ahead
    given = {"of_key": key, "at": now, "step": interval, "early": tolerance, "until": until}
    row = _TAKING.ask(session, given).one_or_none()
    if row is None:
        return None
    at = max(now, float(row.next_free_at) - interval - tolerance)
    quotas.mark(session, key, row, at, by=_MARKING)
    return Turn(at, granted=True, free_at=row.next_free_at, interval=interval)
