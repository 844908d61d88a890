"""Once a minute: does work move, and what is there that nobody may have seen yet?

A heartbeat goes out only while work really moves. It is never tried again and keeps nobody waiting:
the next minute has one of its own. What is wrong with this Waggle itself is an alert for its
operator (`db.alerts`), who is told once, and once more when it is over.
"""

import structlog

from clients import heartbeat
from clients.errors import Unavailable
from db import alerts, held_up, movement, quotas, workers
from tasks import lateness, links_lost
from tasks.runtime import Runtime

log = structlog.get_logger(__name__)

TURN = "heartbeat"
APART_SECONDS = 50.0  # several may ring the bell, and a bell may be late
MOVING, WORKER, HEARTBEAT = "moving", "worker", "heartbeat"  # kinds of alerts


def run(rt: Runtime) -> bool:
    """Look at everything once; True where a heartbeat went out."""
    links_lost.tell(rt)
    lateness.tell(rt)
    moving = _look_at_house(rt)
    return moving and _beat(rt)


def _look_at_house(rt: Runtime) -> bool:
    now = rt.clock.now()
    with rt.ledger.read() as session:
        stuck = movement.look(session, now).stuck
        found = {
            MOVING: {MOVING: f"{'; '.join(stuck)}: see `waggle doctor`"} if stuck else {},
            WORKER: {
                f"{WORKER}:{name}": f"worker {name} was last heard of {now - seen_at:.0f} s ago "
                "and has not said goodbye: it was killed, or hangs. Others take over its work"
                for name, seen_at in workers.lost(session, now)
            },
        }
        known = {row.key: row.message for row in alerts.open_now(session)}
    if {key for key in known if key.partition(":")[0] in found} != {
        key for keys in found.values() for key in keys
    }:
        with rt.ledger.write() as session:
            for kind, messages in found.items():
                alerts.set_of(session, kind, messages, rt.clock.now())
    return not stuck


def _beat(rt: Runtime) -> bool:
    url = rt.options.heartbeat_url
    if url is None or not _is_our_turn(rt):
        return False
    try:
        heartbeat.fetch(rt.http, url)
    except Unavailable as error:
        log.warning("heartbeat.failed", reason=error.message)
        _heard(rt, {HEARTBEAT: f"{error.message}; is WAGGLE_HEARTBEAT_URL right?"})
        return False
    _heard(rt, {})
    return True


def _is_our_turn(rt: Runtime) -> bool:
    with rt.ledger.write() as session:
        quotas.ensure(session, TURN, vendor=held_up.OURS, title=TURN)
        return quotas.reserve(session, TURN, now=rt.clock.now(), interval=APART_SECONDS).granted


def _heard(rt: Runtime, found: dict[str, str]) -> None:
    with rt.ledger.read() as session:
        known = {row.key: row.message for row in alerts.open_now(session) if row.key == HEARTBEAT}
    if known != found:
        with rt.ledger.write() as session:
            alerts.set_of(session, HEARTBEAT, found, rt.clock.now())
