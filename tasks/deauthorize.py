"""A person took our access away.

The callback is unsigned, so it is only a hint: the token is confirmed dead at Beeminder before it
is destroyed, and only the person's *current* token counts (every login ends the one before).
"""

import structlog

from clients.errors import AuthFailed, ClientError
from db import breakers, events, people
from db.events import EventClaim
from db.models import User
from db.states import EventKind, Lane
from tasks import deaths, event_setbacks, gates, outages, policy, tracing
from tasks.beeminder import client_of
from tasks.gates import DeferredError
from tasks.runtime import Runtime

log = structlog.get_logger(__name__)

KINDS = (EventKind.DEAUTHORIZED,)


def run(rt: Runtime, *, alone: bool = False) -> bool:
    """Handle one de-authorization; False when there was none.

    `alone`: one at which a worker has died.
    """
    deaths.bury(rt)
    now = rt.clock.now()
    with rt.ledger.read() as session:
        if not events.any_due(session, KINDS, now, alone=alone):
            return False
    with rt.ledger.write() as session:
        now = rt.clock.now()  # behind the lock, as in `tasks.sync`
        held = events.claim(session, kinds=KINDS, owner=rt.owner, now=now, alone=alone)
    if held is None:
        return False
    with tracing.work(rt.tracer, "deauthorize", held.asker):
        _handle(rt, held)
    return True


def _handle(rt: Runtime, held: EventClaim) -> None:
    hashes = held.event.payload.get("token_hashes", [])
    with rt.ledger.read() as session:
        user = people.user_with_token(session, hashes)
    if user is None:
        with rt.ledger.write() as session:
            events.finish_claimed(session, held, rt.clock.now())
        log.info("deauthorize.unknown_token", event_id=held.event.id)
    elif _may_ask(rt, held, user):
        _confirm(rt, held, user)


def _may_ask(rt: Runtime, held: EventClaim, user: User) -> bool:
    """Is Beeminder there, or is it our turn to find out? Else the event waits for the probe."""
    with rt.ledger.write() as session:
        now, user_id = rt.clock.now(), user.id or 0
        if breakers.admit(session, source_id=None, user_id=user_id, now=now, urgent=False):
            return True
        events.let_go(session, held, due_at=max(now, breakers.probe_at(session, user_id)))
    return False


def _confirm(rt: Runtime, held: EventClaim, user: User) -> None:
    """Is this token really dead? Only then it is destroyed, and everything of it stops."""
    now = rt.clock.now()
    try:
        with outages.asked(rt, user.id or 0), gates.errand(Lane.DEFAULT):
            client_of(rt, user, deadline=8.0).me()
    except AuthFailed:
        with rt.ledger.write() as session:
            withdrawn = people.deauthorize(
                session, user.id or 0, token_version=user.token_version, now=now
            )
            events.finish_claimed(session, held, now)
        log.info("deauthorize.done", user=user.id, withdrawn=withdrawn)
        return
    except (ClientError, DeferredError) as error:
        # Also where Beeminder refuses to answer: a token that its owner took back must not stay.
        event_setbacks.not_now(rt, held, error, policy.DEAUTHORIZE)
        return
    received_at = held.event.received_at
    following = next((look for look in policy.REVOKED_LOOKS if look > now - received_at), None)
    with rt.ledger.write() as session:
        if following is not None:
            events.put_back(session, held, due_at=received_at + following, done=True)
        else:
            events.finish_claimed(session, held, now)
    log.info("deauthorize.token_lives", user=user.id, again=following is not None)
