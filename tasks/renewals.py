"""Renewals that kill their worker are found: each is counted when it begins, until it has ended.

No lease is held over one. What has died once is tried alone from then on, like any suspect, and
after five such deaths it is given up: the syncs of the source log in when its token has ended, as
they do for a source that is not in use.
"""

import structlog
from sqlmodel import Session

from db import notices, sources, tries
from db.deaths import MOST
from db.models import Source
from tasks.runtime import Runtime

log = structlog.get_logger(__name__)

TRY_SECONDS = 30.0  # longer than a renewal takes


def begin(rt: Runtime, source_id: int) -> bool:
    """Count a try to renew this source's tokens; False when it is not to be made after all."""
    now = rt.clock.now()
    with rt.ledger.write() as session:
        source = session.get_one(Source, source_id)
        if not tries.too_many(source.renew_tries):
            return sources.begin_renewal(session, source, again_at=now + TRY_SECONDS)
        _give_up(session, source, now)
    log.error("source.renewal_given_up", source=source_id)
    return False


def end(rt: Runtime, source_id: int, *, good: bool) -> bool:
    """It has ended, whatever came of it; returns whether that was `good`."""
    with rt.ledger.write() as session:
        sources.end_renewal(session, source_id, good=good)
    return good


def _give_up(session: Session, source: Source, now: float) -> None:
    sources.give_renewal_up(session, source.id or 0)
    message = (
        f"the worker died or hung {MOST} times in a row while it renewed the login of "
        f"{source.name} and did nothing else, so that is not done ahead of time any more: a "
        "callback may wait for a login. `waggle doctor` asks the source in a process of your own; "
        "`waggle resume USER/GOAL` of one of its goals has it tried again"
    )
    notices.raise_(
        session,
        user_id=source.user_id,
        subject=f"source:{source.id}",
        kind=sources.RENEWAL,
        message=message,
        now=now,
    )
