"""How the lease of an event ends that could not be finished: tried again, failed, or dead.

For events that no feed answers: a callback that is looked up, a de-authorization.
"""

import structlog

from clients.errors import ClientError
from db import events
from db.events import EventClaim
from tasks import policy
from tasks.beeminder import WHERE
from tasks.gates import DeferredError
from tasks.policy import Again, Policy, Tried
from tasks.runtime import Runtime

log = structlog.get_logger(__name__)


def not_now(rt: Runtime, held: EventClaim, error: ClientError | DeferredError, how: Policy) -> None:
    """Put an event back that met this error at Beeminder, or end it with the reason."""
    event, now = held.event, rt.clock.now()
    age = max(0.0, now - event.received_at)
    tried = Tried(
        attempts=event.attempts - 1,  # the claim has counted this try
        deferrals=event.deferrals,
        garbled=event.garbled,
        age=age,
        deferred_for=age,
    )
    decided = policy.decide(how, error, tried, now=now, rng=rt.rng)
    stored = policy.as_json(error, where=WHERE, decided=decided)
    with rt.ledger.write() as session:
        if isinstance(decided, Again):
            events.put_back(
                session,
                held,
                due_at=now + decided.seconds,
                error=stored,
                deferred=decided.deferred,
                free=decided.free,
                garbled=policy.is_garbled(error),
            )
        elif decided.dead:
            stored = events.given_up(event.id, stored)
            events.finish_claimed(session, held, now, error=stored, dead=True)
        else:
            events.finish_claimed(session, held, now, error=stored)
    log.info("event.not_now", event_id=event.id, again=isinstance(decided, Again), **stored)
