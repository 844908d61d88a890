"""Errands of pages: claimed, done within a deadline, and told in words that a person can use.

Limits are kept like everywhere: a gate that is closed puts an errand off. Trouble is tried again a
few times; then the page says what it was, and offers to try again.
"""

from datetime import UTC, datetime

import structlog

from clients.deadline import all_within
from clients.errors import ClientError
from db import errands, errands_over
from db.errands import Held
from db.feeds import FencedError
from db.states import ErrandKind, Lane
from tasks import errands_kinds, gates, policy
from tasks.gates import DeferredError
from tasks.policy import Again, Tried
from tasks.runtime import Runtime, Stopping

log = structlog.get_logger(__name__)

TASK = "errands"
DEADLINE_SECONDS = 20.0
LONGEST_WAIT = 900.0  # for a limit; whoever has to wait longer is told when to come again


def run(rt: Runtime, *, alone: bool = False) -> bool:
    """Do one errand; False when none is due. `alone`: one at which a worker has died."""
    now = rt.clock.now()
    with rt.ledger.read() as session:
        if not errands.any_due(session, now, alone=alone):
            return False
    with rt.ledger.write() as session:
        now = rt.clock.now()  # behind the lock, as in `tasks.sync`
        held = errands.claim(session, owner=rt.owner, now=now, alone=alone)
    if held is None:
        return False
    try:
        rt.step("errand.claimed")
        _do(rt, held)
    except Stopping:  # its lease is handed back with all others
        log.info("errand.handed_back", errand=held.errand.id)
    return True


def give_up(rt: Runtime) -> int:
    """End what nobody came to in time; how many that were."""
    now = rt.clock.now()
    with rt.ledger.read() as session:
        if not errands_over.any_over(session, now):
            return 0
    with rt.ledger.write() as session:
        return errands_over.give_up(session, now)


def _do(rt: Runtime, held: Held) -> None:
    errand = held.errand
    try:
        with all_within(DEADLINE_SECONDS), gates.errand(Lane.DEFAULT):
            answer = errands_kinds.KINDS[ErrandKind(errand.kind)](rt, held)
    except FencedError:
        log.warning("errand.fenced", errand=errand.id)
        return
    except (ClientError, DeferredError) as error:
        _not_now(rt, held, error)
        return
    rt.step("errand.answered")
    with rt.ledger.write() as session:
        done = errands.finish(session, held, answer, rt.clock.now())
    log.info("errand.done" if done else "errand.fenced", errand=errand.id, kind=errand.kind)


def _not_now(rt: Runtime, held: Held, error: ClientError | DeferredError) -> None:
    """Again in a moment, when a limit says so, or not at all."""
    errand, now = held.errand, rt.clock.now()
    # Counted from the end of the last limit: what waited for one is as young as if it were new.
    age = errands.LIFE_SECONDS - (errand.ends_at - now)
    tried = Tried(attempts=errand.attempts - 1, deferrals=errand.deferrals, age=age)
    decided = policy.decide(policy.ERRAND, error, tried, now=now, rng=rt.rng)
    again_at = now + decided.seconds if isinstance(decided, Again) else now
    deferred = isinstance(decided, Again) and decided.deferred
    text = str(error)
    with rt.ledger.write() as session:
        if deferred and again_at - errand.asked_at <= LONGEST_WAIT:
            errands.put_back(
                session,
                held,
                due_at=again_at,
                error=text,
                deferred=True,
                ends_at=again_at + errands.LIFE_SECONDS,
            )
        elif deferred:
            opens = f"{datetime.fromtimestamp(again_at, UTC):%Y-%m-%d %H:%M} UTC"
            errands.fail(session, held, f"{text}, until {opens}: try again then", now)
        elif (
            isinstance(decided, Again)
            and errand.attempts < errands.MOST_TRIES
            and again_at < errand.ends_at
        ):
            errands.put_back(session, held, due_at=again_at, error=text)
        else:
            errands.fail(session, held, text, now)
    log.info("errand.not_now", errand=errand.id, kind=errand.kind, error=text, deferred=deferred)
