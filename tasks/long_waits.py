"""Waits of hours that a vendor asks for: its owner is told once, and no more when it is over.

Such a wait is kept, not shortened. Whoever waits for data should know why none comes, and that
nothing has to be done about it. One that is made of shorter ones, with nothing answered in between,
is the same to them.
"""

from datetime import UTC, datetime

from sqlalchemy import exists, select
from sqlmodel import Session, col

from db import notices, quotas, resting
from db.models import Feed, Notice, Source
from db.models_limits import Quota
from tasks.runtime import Runtime

KIND = "limited"
LONG_SECONDS = 3600.0
MINUTE = 60


def tell(rt: Runtime) -> None:
    """Raise a notice for each source or person whose gate is closed for long; clear the others."""
    now = rt.clock.now()
    with rt.ledger.read() as session:
        found, told = _waits(session, now), _told(session)
    if {subject: text for subject, (_, text) in found.items()} == told:
        return
    with rt.ledger.write() as session:
        for subject, (user_id, text) in found.items():
            notices.raise_(
                session, user_id=user_id, subject=subject, kind=KIND, message=text, now=now
            )
        for subject in told.keys() - found.keys():
            notices.clear(session, subject=subject, kind=KIND, now=now)


def _waits(session: Session, now: float) -> dict[str, tuple[int, str]]:
    """By subject: whom to tell, and what."""
    found = {}
    for gate in quotas.closed(session, now):
        if gate.closed_until - gate.closed_at <= LONG_SECONDS:
            continue
        text = _text(gate)
        if gate.vendor == quotas.BEEMINDER:
            user_id = int(gate.key.removeprefix(f"{quotas.BEEMINDER}:"))
            found[f"user:{user_id}"] = (user_id, f"Beeminder {text}")
        for source_id, user_id in _users(session, gate.key):
            found[f"source:{source_id}"] = (user_id, f"the source {text}")
    return found


def _users(session: Session, key: str) -> list[tuple[int, int]]:
    """Sources that are counted by this quota and are needed, with their owners."""
    needed = exists().where(col(Feed.source_id) == col(Source.id), resting.claimable())
    rows = session.connection().execute(
        select(col(Source.id), col(Source.user_id)).where(
            col(Source.quota_key) == key, needed.correlate(Source)
        )
    )
    return [(row.id, row.user_id) for row in rows]


def _told(session: Session) -> dict[str, str]:
    """What is open of this kind: texts by subject."""
    rows = session.connection().execute(
        select(col(Notice.subject), col(Notice.message)).where(
            col(Notice.kind) == KIND, col(Notice.cleared_at).is_(None)
        )
    )
    return {row.subject: row.message for row in rows}


def _text(gate: Quota) -> str:
    since, until = _when(gate.closed_at), _when(gate.closed_until)
    return (
        f"wants no requests from {since} to {until}: a limit of the account. Nothing is lost, what "
        "waits follows by itself; whatever else uses the account uses its limit up too"
    )


def _when(at: float) -> str:
    """To the minute, rounded up: nobody is promised data before its time."""
    return f"{datetime.fromtimestamp(-(-at // MINUTE) * MINUTE, UTC):%Y-%m-%d %H:%M} UTC"
