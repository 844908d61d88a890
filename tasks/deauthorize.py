"""A person took our access away.

The callback is unsigned, so it is only a hint: the token is confirmed dead at Beeminder before it
is destroyed, and only the person's *current* token counts (every login ends the one before).
"""

import structlog

from clients.errors import AuthFailed, ClientError
from db import events, people
from db.events import EventClaim
from db.models import User
from db.states import EventKind
from tasks import policy
from tasks.beeminder import WHERE, client_of
from tasks.gates import DeferredError
from tasks.runtime import Runtime

log = structlog.get_logger(__name__)

KINDS = (EventKind.DEAUTHORIZED,)
ALIVE_CHECKS = (30.0, 300.0)  # Beeminder may revoke a moment after it calls


def run(rt: Runtime) -> bool:
    """Handle one de-authorization; False when there was none."""
    now = rt.clock.now()
    with rt.ledger.read() as session:
        if not events.any_due(session, KINDS, now):
            return False
    with rt.ledger.write() as session:
        held = events.claim(session, kinds=KINDS, owner=rt.owner, now=now)
    if held is None:
        return False
    hashes = held.event.payload.get("token_hashes", [])
    with rt.ledger.read() as session:
        user = people.user_with_token(session, hashes)
    if user is None:
        with rt.ledger.write() as session:
            events.finish_claimed(session, held, rt.clock.now())
        log.info("deauthorize.unknown_token", event_id=held.event.id)
        return True
    _confirm(rt, held, user)
    return True


def _confirm(rt: Runtime, held: EventClaim, user: User) -> None:
    """Is this token really dead? Only then it is destroyed, and everything of it stops."""
    now = rt.clock.now()
    try:
        client_of(rt, user, deadline=8.0).me()
    except AuthFailed:
        with rt.ledger.write() as session:
            withdrawn = people.deauthorize(
                session, user.id or 0, token_version=user.token_version, now=now
            )
            events.finish_claimed(session, held, now)
        log.info("deauthorize.done", user=user.id, withdrawn=withdrawn)
        return
    except DeferredError as error:
        with rt.ledger.write() as session:
            events.put_back(session, held, due_at=error.until, error=error.error, deferred=True)
        return
    except ClientError as error:
        age = now - held.event.received_at
        seconds = policy.delay(policy.SYNC, held.event.attempts, age=age, rng=rt.rng)
        with rt.ledger.write() as session:
            stored = policy.as_json(error, where=WHERE)
            events.put_back(session, held, due_at=now + seconds, error=stored)
        return
    tried = held.event.attempts - 1
    with rt.ledger.write() as session:
        if tried < len(ALIVE_CHECKS):
            events.put_back(session, held, due_at=now + ALIVE_CHECKS[tried])
        else:
            events.finish_claimed(session, held, now)
    log.info("deauthorize.token_lives", user=user.id, tried=tried + 1)
