"""Looking for leases that ended by themselves, before anything is claimed and in every sweep.

What has been leased is free again only when somebody has looked why its lease ended (`db.deaths`).
"""

from collections.abc import Collection, Sequence

import structlog

from db import deaths, leasing
from tasks.runtime import Runtime

log = structlog.get_logger(__name__)

LOOK_EVERY_SECONDS = 1.0
BACK_SECONDS = 4.0  # in which every living worker hands back what an outage ended: a heartbeat is 3


def bury(rt: Runtime) -> None:
    """Free what died since the last look, and count who may have done it."""
    now = rt.clock.now()
    if 0.0 <= now - rt.buried_at < LOOK_EVERY_SECONDS:
        return  # leases of ten seconds need no closer look, and every callback comes by here
    rt.buried_at = now
    if 0.0 <= now - rt.away_at < BACK_SECONDS:
        return  # the ledger was away: its leases ended with nobody's death
    with rt.ledger.read() as session:
        if not deaths.any_ended(session, now):
            return
    with rt.ledger.write() as session:
        found = deaths.bury(session, now)
    _tell(found)


def bury_gone(rt: Runtime, gone: Collection[str]) -> None:
    """Free what these held, whose processes are known to be over, before their leases end."""
    if not gone:
        return
    with rt.ledger.write() as session:
        now = rt.clock.now()
        found = deaths.bury(session, now, gone=gone)
        leasing.end(session, gone, now)
    _tell(found)


def _tell(found: Sequence[deaths.Burial]) -> None:
    for one in found:
        log.warning(
            "work.died",
            owner=one.owner,
            worker="lives" if one.lives else "gone",
            counted=one.counted,
            suspects=one.suspects,
            events=one.events,
        )
        if one.set_aside is not None:
            log.error("feed.set_aside", feed=one.set_aside)
        if one.dead is not None:
            log.error("event.dead", event_id=one.dead)
