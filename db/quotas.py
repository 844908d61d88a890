"""Gates: when a vendor quota may be used again, over all workers and machines.

`reserve` answers with the instant at which one request may leave, and moves the next one behind
it, in one statement. `close` shuts the gate until the time that the vendor named; it never opens
a gate earlier than somebody else was told.
"""

from typing import Any

from sqlalchemy import case, literal, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col

from db.models import Quota

AHEAD_SECONDS = 1.0


def closed_until(session: Session, key: str) -> float:
    """When the gate of this key opens; 0.0 for one that is open."""
    found = session.connection().execute(
        select(col(Quota.closed_until)).where(col(Quota.key) == key)
    )
    return found.scalar_one_or_none() or 0.0


def close(session: Session, key: str, until: float, *, seen: str | None = None) -> None:
    """Nobody asks before `until`. Of two refusals the later one counts."""
    _ensure(session, key)
    later = case((col(Quota.closed_until) > until, col(Quota.closed_until)), else_=until)
    session.connection().execute(
        update(Quota).where(col(Quota.key) == key).values(closed_until=later, seen_limit=seen)
    )


def reserve(session: Session, key: str, *, now: float, interval: float, burst: int = 1) -> float:
    """The instant at which one request may go (GCRA: one per `interval`, `burst` at once).

    Nothing is reserved behind a closed gate, nor more than a second ahead: the answer is then
    when to come back.
    """
    _ensure(session, key)
    tolerance = (burst - 1) * interval
    free = case((col(Quota.next_free_at) > now, col(Quota.next_free_at)), else_=literal(now))
    row = (
        session.connection()
        .execute(
            update(Quota)
            .where(
                col(Quota.key) == key,
                col(Quota.closed_until) <= now,
                col(Quota.next_free_at) <= now + tolerance + AHEAD_SECONDS,
            )
            .values(next_free_at=free + interval)
            .returning(col(Quota.next_free_at))
        )
        .one_or_none()
    )
    if row is not None:
        return max(now, float(row.next_free_at) - interval - tolerance)
    gate = session.get_one(Quota, key, populate_existing=True)
    return max(gate.closed_until, gate.next_free_at - tolerance)


def _ensure(session: Session, key: str) -> None:
    dialect: Any = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    session.connection().execute(
        dialect.insert(Quota)
        .values(key=key, next_free_at=0.0, closed_until=0.0)
        .on_conflict_do_nothing()
    )
