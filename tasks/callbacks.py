"""From a stored callback to the feeds it asks for: names are looked up where they have changed."""

import structlog

from clients.errors import ClientError, Permanent
from db import breakers, called, events, opening, people, quotas
from db.events import ASKS_FOR_FEEDS, EventClaim
from db.models import User
from db.states import Lane
from tasks import event_setbacks, facts, gates, outages, policy, tracing
from tasks.beeminder import LEAST_SECONDS, WHERE, Access
from tasks.gates import DeferredError
from tasks.runtime import Runtime

log = structlog.get_logger(__name__)

LOOK_UP_SECONDS = 8.0  # ends before the lease of an event does


def open_new(rt: Runtime) -> bool:
    """Tie every new callback to its feeds; the unknown ones are left to be looked up.

    Was there any?
    """
    now = rt.clock.now()
    with rt.ledger.read() as session:
        found = opening.look(session, now)
    if found:
        with rt.ledger.write(durable=False) as session:
            opened = opening.open_callbacks(session, rt.clock.now(), found=found)
        rt.trace("opened")
        if opened.more:
            rt.ring("sync", "urgent")
    return bool(found)


def look_one_up(rt: Runtime, *, alone: bool = False) -> bool:
    """A name that nobody knows may be new: ask Beeminder, compare by id. False: there is none.

    One at a time: each may take all of its deadline, and whoever has a feed goes before the next.
    `alone`: one at which a worker has died.
    """
    now = rt.clock.now()
    with rt.ledger.read() as session:
        if rt.stopping.is_set() or not events.any_due(session, ASKS_FOR_FEEDS, now, alone=alone):
            return False
    with rt.ledger.write(durable=False) as session:
        now = rt.clock.now()  # behind the lock, as in `tasks.sync`
        held = events.claim(session, kinds=ASKS_FOR_FEEDS, owner=rt.owner, now=now, alone=alone)
    if held is None:
        return False
    _look_up(rt, held)
    return True


def _look_up(rt: Runtime, held: EventClaim) -> None:
    look = _by_person if held.event.user_id is None else _by_goal
    with gates.errand(Lane.URGENT), tracing.work(rt.tracer, "look up", held.asker):
        try:
            look(rt, held)
        except (ClientError, DeferredError) as error:
            event_setbacks.not_now(rt, held, error, policy.CALLBACK)


def _by_goal(rt: Runtime, held: EventClaim) -> None:
    """A slug that nobody knows, of a person whom we know."""
    user_id = held.event.user_id or 0
    access = Access(rt, user_id)
    with outages.counted(rt, access):
        goals = access.call(lambda client: client.goals(), deadline=LOOK_UP_SECONDS)
    with rt.ledger.write() as session:
        renamed = people.rename_goals(session, user_id, {goal.id: goal.slug for goal in goals})
        opening.resolve(session, held, rt.clock.now())
    if renamed:
        log.info("goals.renamed", user=user_id, slugs=renamed)


def _by_person(rt: Runtime, held: EventClaim) -> None:
    """A username that nobody has: somebody with such a goal may be called so now.

    Each of them is asked about once a minute at most, whoever makes names up.
    """
    wanted = str(held.event.payload.get("username", "")).lower()
    ends_at = rt.clock.now() + LOOK_UP_SECONDS
    with rt.ledger.read() as session:
        candidates = called.may_be(session, held.event, rt.clock.now())
    later: list[float] = []
    for user in candidates:
        left = ends_at - rt.clock.now()
        turn = _turn(rt, user) if left > LEAST_SECONDS else rt.clock.now()
        if turn is not None:
            later.append(turn)
            continue
        access = Access(rt, user.id or 0)
        try:
            with outages.counted(rt, access):
                facts.of_person(rt, access, user, deadline=left)
        except Permanent as error:
            log.info("person.not_looked_up", user=user.id, reason=error.reason)
            continue
        if user.username.lower() == wanted:
            later.clear()
            break
    if later:
        message = f"{WHERE}: looking for a person with a new name"
        raise DeferredError(min(later), {"code": "looking", "message": message})
    with rt.ledger.write() as session:
        opening.resolve(session, held, rt.clock.now())


def _turn(rt: Runtime, user: User) -> float | None:
    """None when this person may be looked up now, else when (UTC seconds)."""
    key, again = f"look-up:{user.id}", called.NAME_BELIEVED_SECONDS
    with rt.ledger.write() as session:
        now = rt.clock.now()
        quotas.ensure(session, key, vendor="waggle", title=user.username)
        turn = quotas.reserve(session, key, now=now, interval=again)
        if not turn.granted:
            return turn.at
        may = breakers.admit(session, source_id=None, user_id=user.id or 0, now=now, urgent=True)
    return None if may else now + again
