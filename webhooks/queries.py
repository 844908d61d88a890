"""What the receiver reads from the ledger to show it."""

from dataclasses import dataclass

from sqlalchemy import case, func, or_, select
from sqlmodel import Session, col

from db import held_up, quotas
from db.models_limits import Breaker, Quota

DAY = 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Hindrances:
    """What holds work up, in figures. The first three by vendor, with zeros for all that are known.

    `opens_in`: seconds until the last of a vendor's gates opens. `breakers`: by `source` and
    `link`. `deferrals`: how often callbacks of the last 24 hours had to wait for a limit.
    """

    gates: dict[str, int]
    opens_in: dict[str, float]
    waiting: dict[str, int]
    breakers: dict[str, int]
    deferrals: int


def hindrances(session: Session, now: float) -> Hindrances:
    """Gates that are closed, breakers that are open, and who waits."""
    shut = or_(col(Quota.closed_until) > now, ~quotas.is_proven())
    rows = (
        session.connection()
        .execute(
            select(
                col(Quota.vendor),
                func.sum(case((shut, 1), else_=0)).label("closed"),
                func.max(col(Quota.closed_until)).label("until"),
            )
            .where(col(Quota.vendor) != held_up.OURS)
            .group_by(col(Quota.vendor))
        )
        .all()
    )
    gates = {row.vendor: row.closed for row in rows}
    waiting = held_up.waiting_by_vendor(session, now)
    return Hindrances(
        gates=gates,
        opens_in={row.vendor: max(0.0, row.until - now) for row in rows},
        waiting={vendor: waiting.get(vendor, 0) for vendor in gates},
        breakers=_open_breakers(session),
        deferrals=held_up.deferred(session, now - DAY)[0],
    )


def _open_breakers(session: Session) -> dict[str, int]:
    of_source = col(Breaker.subject).like("source:%")
    row = (
        session.connection()
        .execute(
            select(func.coalesce(func.sum(case((of_source, 1), else_=0)), 0), func.count()).where(
                col(Breaker.opened_at).is_not(None)
            )
        )
        .one()
    )
    return {"source": row[0], "link": row[1] - row[0]}
