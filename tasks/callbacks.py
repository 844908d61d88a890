"""From a stored callback to the feeds it asks for."""

import structlog

from clients.errors import ClientError, Permanent
from db import events, opening, people
from db.events import ASKS_FOR_FEEDS, EventClaim
from tasks import policy
from tasks.beeminder import WHERE, Access
from tasks.gates import DeferredError
from tasks.runtime import Runtime

log = structlog.get_logger(__name__)


def open_new(rt: Runtime) -> None:
    """Tie every new callback to its feeds; look the unknown ones up at Beeminder."""
    now = rt.clock.now()
    with rt.ledger.read() as session:
        waiting = opening.any_new(session, now)
    if waiting:
        with rt.ledger.write() as session:
            opened = opening.open_callbacks(session, rt.clock.now())
        rt.trace("opened")
        if opened.more:
            rt.ring("sync", "urgent")
    look_up(rt)


def look_up(rt: Runtime) -> None:
    """A slug that nobody knows may be a goal with a new name: ask Beeminder, compare by id."""
    while not rt.stopping.is_set():
        now = rt.clock.now()
        with rt.ledger.read() as session:
            if not events.any_due(session, ASKS_FOR_FEEDS, now):
                return
        with rt.ledger.write() as session:
            held = events.claim(session, kinds=ASKS_FOR_FEEDS, owner=rt.owner, now=now)
        if held is None:
            return
        _look_up(rt, held)


def _look_up(rt: Runtime, held: EventClaim) -> None:
    user_id = held.event.user_id or 0
    try:
        goals = Access(rt, user_id).call(lambda client: client.goals(), deadline=8.0)
    except DeferredError as error:
        with rt.ledger.write() as session:
            events.put_back(session, held, due_at=error.until, error=error.error, deferred=True)
        return
    except Permanent as error:
        with rt.ledger.write() as session:
            stored = policy.as_json(error, where=WHERE)
            events.finish_claimed(session, held, rt.clock.now(), error=stored)
        return
    except ClientError as error:
        now = rt.clock.now()
        seconds = policy.delay(
            policy.SYNC, held.event.attempts, age=now - held.event.received_at, rng=rt.rng
        )
        with rt.ledger.write() as session:
            stored = policy.as_json(error, where=WHERE)
            events.put_back(session, held, due_at=now + seconds, error=stored)
        return
    with rt.ledger.write() as session:
        renamed = people.rename_goals(session, user_id, {goal.id: goal.slug for goal in goals})
        opening.resolve(session, held, rt.clock.now())
    if renamed:
        log.info("goals.renamed", user=user_id, slugs=renamed)
