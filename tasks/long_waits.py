"""Waits of hours that a vendor asks for: its owner is told once, and no more when it is over.

Such a wait is kept, not shortened. Whoever waits for data should know why none comes, and that
nothing has to be done about it. One that is made of shorter ones, with nothing answered in between,
is the same to them.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, exists, select
from sqlmodel import Session, col

from db import notices, quotas, resting
from db.models import Feed, Notice, Source, User
from db.models_limits import Quota
from tasks.runtime import Runtime

KIND = "limited"
LONG_SECONDS = 3600.0
MINUTE = 60

# Named once: to make a statement costs more than to ask with it, and each sweep asks.
_CLOSED = select(col(Quota.key), col(Quota.closed_at), col(Quota.closed_until)).where(
    col(Quota.closed_until) - col(Quota.closed_at) > LONG_SECONDS,
    ~quotas.is_proven(),  # as is every gate that is closed
)
_TOLD = select(col(Notice.subject), col(Notice.message)).where(
    col(Notice.kind) == KIND, col(Notice.cleared_at).is_(None)
)


def tell(rt: Runtime) -> None:
    """Raise a notice for each source or person whose gate is closed for long; clear the others."""
    now = rt.clock.now()
    with rt.ledger.read() as session:
        found, told = _waits(session), _told(session)
    if {subject: text for subject, (_, text) in found.items()} == told:
        return
    with rt.ledger.write() as session:
        for subject, (user_id, text) in found.items():
            notices.raise_(
                session, user_id=user_id, subject=subject, kind=KIND, message=text, now=now
            )
        for subject in told.keys() - found.keys():
            notices.clear(session, subject=subject, kind=KIND, now=now)


def _waits(session: Session) -> dict[str, tuple[int, str]]:
    """By subject: whom to tell, and what."""
    gates = {row.key: _text(row.closed_at, row.closed_until) for row in _closed(session)}
    if not gates:
        return {}
    found = {
        f"user:{user_id}": (user_id, f"Beeminder {gates[key]}")
        for key, user_id in _people(session, gates)
    }
    return found | {
        f"source:{source_id}": (user_id, f"the source {gates[key]}")
        for key, source_id, user_id in _sources(session, gates)
    }


def _closed(session: Session) -> Sequence[Row[*tuple[Any, ...]]]:
    """Gates that are closed for long, or are not known to be open again."""
    return session.connection().execute(_CLOSED).all()


def _people(session: Session, keys: Collection[str]) -> list[tuple[str, int]]:
    """Those of these gates that are a person's at Beeminder, with the person."""
    start = f"{quotas.BEEMINDER}:"
    ids = [int(key.removeprefix(start)) for key in keys if key.startswith(start)]
    known = session.connection().execute(select(col(User.id)).where(col(User.id).in_(ids)))
    return [(f"{start}{user_id}", user_id or 0) for user_id in known.scalars()]


def _sources(session: Session, keys: Collection[str]) -> list[tuple[str, int, int]]:
    """Sources that are counted by these quotas and are needed, with their owners."""
    needed = exists().where(col(Feed.source_id) == col(Source.id), resting.claimable())
    rows = session.connection().execute(
        select(col(Source.quota_key), col(Source.id), col(Source.user_id)).where(
            col(Source.quota_key).in_(keys), needed.correlate(Source)
        )
    )
    return [(row.quota_key, row.id, row.user_id) for row in rows]


def _told(session: Session) -> dict[str, str]:
    """What is open of this kind: texts by subject."""
    return {row.subject: row.message for row in session.connection().execute(_TOLD)}


def _text(closed_at: float, closed_until: float) -> str:
    began = closed_at // MINUTE * MINUTE  # nobody is told of something that is yet to begin
    return (
        f"wants no requests from {_when(began)} to {_when(closed_until)}: a limit of the "
        "account. Nothing is lost, what waits follows by itself; whatever else uses the account "
        "uses its limit up too"
    )


def _when(at: float) -> str:
    """To the minute, rounded up: nobody is promised data before its time."""
    return f"{datetime.fromtimestamp(-(-at // MINUTE) * MINUTE, UTC):%Y-%m-%d %H:%M} UTC"
