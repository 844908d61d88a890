"""Gates that vendors close, and that people open before their time.

`close` shuts a gate until the time that the vendor named; it never opens one earlier than somebody
else was told.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import or_, update
from sqlmodel import Session, col
from sqlmodel import select as select_rows

from db import quotas
from db.models_limits import Quota
from db.quotas import Turn
from db.quotas_seen import Gate
from db.trail import Mark

AGAIN_SECONDS = 900.0  # after so long without a request a refusal is the first one again


@dataclass(frozen=True, slots=True)
class Phase:
    """What has gone through a gate until it was closed: `passed` requests, and when (`trail`).

    `free_at`: when the first slot is that nobody has taken. `begins`: it was open until now.
    `window`: the one (seconds) in which the last pace was learned, 0.0 for none.
    """

    passed: int
    trail: Sequence[Mark]
    free_at: float
    begins: bool
    window: float


Lesson = Callable[[Phase], tuple[float, float] | None]
"""What a closing teaches: (interval, window) in seconds, or None."""


def close(
    session: Session,
    key: str,
    until: float,
    *,
    now: float,
    seen: str | None = None,
    refused: Turn | None = None,
    lesson: Lesson | None = None,
) -> float:
    """Nobody asks before `until`, or what a refusal before this one said, if that is later.

    Returns when the gate opens. `refused`: the request that was, which does not count as one that
    passed. `lesson` is given where the vendor named the time: what it makes of the requests served
    is kept as the pace of the next phase. A closing that soon follows another with nothing answered
    in between is the same one still: `closed_at` stays.
    """
    quotas.ensure(session, key)
    gate = _locked(session, key)
    begins = gate.closed_until <= now
    until = max(until, gate.closed_until)
    values: dict[str, Any] = {
        "closed_at": since(gate, now),
        "closed_until": until,
        "probe_until": 0.0,
        "seen_limit": seen,
    }
    if refused is not None and _counted(gate, refused):
        passed = values["passed"] = max(0, gate.passed - 1)
        free_at = gate.next_free_at - gate.tolerance
        taught = lesson and lesson(Phase(passed, gate.trail, free_at, begins, gate.learned_window))
        if taught:
            values |= {"learned_interval": taught[0], "learned_window": taught[1]}
            values["learned_at"] = until
    session.connection().execute(update(Quota).where(col(Quota.key) == key).values(**values))
    return until


def since(gate: Quota | Gate, now: float) -> float:
    """Since when a gate that is closed now has been (UTC seconds): `now` where that is the first.

    So it is after an answer, and when nobody came for longer than it had been closed before.
    """
    closed_for = min(gate.closed_until - gate.closed_at, AGAIN_SECONDS)
    if gate.closed_until <= gate.proven_at or now - gate.closed_until > closed_for:
        return now
    return gate.closed_at


def _counted(gate: Quota, turn: Turn) -> bool:
    """Is this one of those that passed in this phase, and not the first one of the next?"""
    return not turn.probe and bool(gate.trail) and turn.at >= gate.trail[0][0]


def open_now(session: Session, keys: Sequence[str]) -> int:
    """An operator says that these gates may be used; returns how many were closed.

    Of those one request goes first. Whatever slowed them down is forgotten: what was learned, what
    was spread, and the slots that were moved on by it.
    """
    session.connection().execute(
        update(Quota)
        .where(col(Quota.key).in_(keys))
        .values(learned_interval=0.0, spread_interval=0.0, spread_until=0.0, next_free_at=0.0)
    )
    changed = session.connection().execute(
        update(Quota)
        .where(col(Quota.key).in_(keys), ~quotas.is_proven())
        .values(closed_until=0.000001, proven_at=0.0, probe_until=0.0)
    )
    return changed.rowcount


def closed(session: Session, now: float) -> list[Quota]:
    """Gates that are closed, or half open, the one that opens last first."""
    return list(
        session.exec(
            select_rows(Quota)
            .where(or_(col(Quota.closed_until) > now, ~quotas.is_proven()))
            .order_by(col(Quota.closed_until).desc(), col(Quota.key))
        )
    )


def _locked(session: Session, key: str) -> Quota:
    return session.exec(
        select_rows(Quota)
        .where(col(Quota.key) == key)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()
