"""Datapoints that wait although their feed's own time has not come: approved, or postponed."""

import structlog

from clients.errors import ClientError
from db import claiming_outbox, feeds, outbox
from db.feeds import FencedError
from db.states import Lane
from tasks import deaths, edits, fit, gates, jobs, outages, push, setbacks, tracing
from tasks.batch_turns import LANDED_WITHIN, Turns
from tasks.beeminder import WHERE, Access
from tasks.gates import DeferredError
from tasks.jobs import Batch, Job
from tasks.runtime import Runtime, Stopping

log = structlog.get_logger(__name__)


def run(rt: Runtime, *, alone: bool = False) -> bool:
    """Push what is due in the outbox; False when there was nothing.

    `alone`: that of one feed that runs alone.
    """
    deaths.bury(rt)
    now = rt.clock.now()
    with rt.ledger.read() as session:
        if not claiming_outbox.any_due(session, now, alone=alone):
            return False
    with rt.ledger.write() as session:
        now = rt.clock.now()  # behind the lock, as in `tasks.sync`
        claims = claiming_outbox.claim(session, owner=rt.owner, now=now, alone=alone)
    if not claims:
        return False
    with rt.leases.holding([held.feed_id for held in claims], now):
        try:
            with rt.ledger.read() as session:
                batch = jobs.load(session, claims)
        except FencedError:
            return True
        access = Access(rt, batch.user.id or 0)
        turns = Turns(rt, access, since=now)
        try:
            for number, job in enumerate(batch.jobs):
                if turns.comes(job, first=number == 0, within=LANDED_WITHIN):
                    with (
                        gates.errand(Lane.DEFAULT),
                        tracing.work(rt.tracer, "deliver", (), feed=job.held.feed_id),
                    ):
                        _deliver(rt, batch, job, access)
        except Stopping:
            log.info("deliver.handed_back", feeds=len(claims))
        outages.linked(rt, access, troubled=batch.troubled)
    return True


def _deliver(rt: Runtime, batch: Batch, job: Job, access: Access) -> None:
    pushed = push.Pushed()
    try:
        with rt.ledger.read() as session:
            points = outbox.pending(session, job.held.feed_id)
        allowed = edits.respect(rt, batch, job, access, points)
        if len(allowed) < len(points) and fit.builds(job.feed.cursor.get("shape")):
            _begin_anew(rt, job)
            return
        push.send(rt, access, job.goal.slug, job.held, allowed, pushed)
        with rt.ledger.write() as session:
            pushed.mark(session, job.held, rt.clock.now())
            feeds.release(session, job.held, done=True)
    except FencedError:
        setbacks.fenced(rt, job, pushed)
    except (ClientError, DeferredError) as error:
        setbacks.not_now(rt, job, error, where=WHERE, pushed=pushed)


def _begin_anew(rt: Runtime, job: Job) -> None:
    """A person changed a day that later ones go on from: a sync works these out again first."""
    with rt.ledger.write() as session:
        feeds.release(session, job.held)
        feeds.ask(session, [job.held.feed_id], rt.clock.now())
    rt.ring("sync", Lane.URGENT.name.lower())
