"""Gates: when a vendor quota may be used again, over all workers and machines.

`reserve` answers with the instant at which one request may leave, and moves the next one behind
it, in one statement. `close` shuts the gate until the time that the vendor named; it never opens
a gate earlier than somebody else was told.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import case, literal, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col

from db.models_limits import Quota

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


@dataclass(frozen=True, slots=True)
class Turn:
    """When one request may go; not `granted`: when to come back and ask again."""

    at: float
    granted: bool


def reserve(session: Session, key: str, *, now: float, interval: float, burst: int = 1) -> Turn:
    """The turn of one request (GCRA: one per `interval` seconds, `burst` at once).

    Nothing is granted behind a closed gate, nor more than a second ahead.
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
        return Turn(max(now, float(row.next_free_at) - interval - tolerance), granted=True)
    gate = session.get_one(Quota, key, populate_existing=True)
    return Turn(max(gate.closed_until, gate.next_free_at - tolerance), granted=False)


def _ensure(session: Session, key: str) -> None:
    dialect: Any = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    session.connection().execute(
        dialect.insert(Quota)
        .values(key=key, next_free_at=0.0, closed_until=0.0)
        .on_conflict_do_nothing()
    )
