"""Notices of what stands in the ledger: raised while it is so, and cleared when it is not.

Whoever finds such a thing needs to remember nothing, and may look late or twice.
"""

from collections.abc import Mapping

from sqlalchemy import select
from sqlmodel import Session, col

from db import notices
from db.models import Notice
from tasks.runtime import Runtime

Found = Mapping[str, tuple[int, str]]
"""By subject: whose it is, and what there is to say."""


def tell(rt: Runtime, kind: str, found: Found) -> None:
    """Make the open notices of a kind what was found; writes nothing where they are."""
    with rt.ledger.read() as session:
        told = _told(session, kind)
    if {subject: text for subject, (_, text) in found.items()} == told:
        return
    with rt.ledger.write() as session:
        now = rt.clock.now()
        for subject, (user_id, text) in sorted(found.items()):
            notices.raise_(
                session, user_id=user_id, subject=subject, kind=kind, message=text, now=now
            )
        for subject in sorted(told.keys() - found.keys()):
            notices.clear(session, subject=subject, kind=kind, now=now)


def _told(session: Session, kind: str) -> dict[str, str]:
    rows = session.connection().execute(
        select(col(Notice.subject), col(Notice.message)).where(
            col(Notice.kind) == kind, col(Notice.cleared_at).is_(None)
        )
    )
    return {row.subject: row.message for row in rows}
