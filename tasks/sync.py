"""The main job: claim, fetch, record, push, finish.

Every step ends in a committed transaction, so a process may be killed between any two of them:
the leases end, the work is claimed again, and the same facts give the same datapoints.
"""

import structlog

from clients.errors import (
    AuthFailed,
    ClientError,
    NotFound,
    Permanent,
)
from db import feeds, outbox, sources
from db.feeds import FencedError
from db.models import Lane, SourceState
from tasks import callbacks, decide, facts, gates, jobs, push, setbacks
from tasks.beeminder import WHERE, Access
from tasks.decide import Verdict
from tasks.gates import DeferredError
from tasks.jobs import Batch, Job
from tasks.providers import Request
from tasks.runtime import Runtime, Stopping

log = structlog.get_logger(__name__)

USED_TO_THE_MINUTE = 60.0


def run(rt: Runtime, lane: Lane) -> bool:
    """Do one piece of work: the due feeds of one source. False when there was none."""
    callbacks.open_new(rt)
    if rt.stopping.is_set():
        return False
    now = rt.clock.now()
    with rt.ledger.write() as session:
        claims = feeds.claim(session, owner=rt.owner, now=now, lane=lane)
    if not claims:
        return False
    rt.trace("claimed")
    with rt.leases.holding([held.feed_id for held in claims], now):
        with rt.ledger.read() as session:
            batch = jobs.load(session, claims)
        _work(rt, batch)
    return True


def _work(rt: Runtime, batch: Batch) -> None:
    """Sync these feeds; whatever happens to one of them, the others go on."""
    access = Access(rt, batch.user.id or 0)
    try:
        try:
            missing = facts.refresh(rt, access, batch.user, [job.goal for job in batch.jobs])
        except (ClientError, DeferredError) as error:
            for job in batch.jobs:
                setbacks.not_now(rt, job, error, where=WHERE)
            return
        alive = []
        for job in batch.jobs:
            gone = missing.get(job.goal.id or 0)
            if gone is None:
                alive.append(job)
            else:
                setbacks.not_now(rt, job, _no_goal(job, gone), where=WHERE)
        for job, verdicts in _fetch(rt, batch, alive):
            _land(rt, batch, job, verdicts, access)
    except Stopping:
        log.info("sync.handed_back", source=batch.source.name)


def _no_goal(job: Job, gone: Permanent) -> Permanent:
    if not isinstance(gone, NotFound):
        return gone
    message = f"there is no goal {job.goal.slug!r} any more; link another one"
    return NotFound(message, reason="goal_not_found", request_id=gone.request_id)


def _fetch(rt: Runtime, batch: Batch, alive: list[Job]) -> list[tuple[Job, list[Verdict]]]:
    """Ask the source once for all of them; failed jobs are settled here."""
    prepared: dict[int, tuple[Job, Request, decide.Rules]] = {}
    where = f"source {batch.source.name}"
    for job in alive:
        try:
            metric, params = jobs.metric_of(jobs.provider_of(rt, batch.source), job.feed)
            rules = jobs.rules_of(rt, batch, job, metric, params)
            with rt.ledger.read() as session:
                windows = jobs.windows_of(rt, session, batch, job)
        except Permanent as error:
            setbacks.not_now(rt, job, error, where=where)
            continue
        feed_id = job.held.feed_id
        request = Request(
            key=feed_id, metric=metric.name, params=params, days=windows, now=rt.clock.now()
        )
        prepared[feed_id] = (job, request, rules)
    asked = [request for _, request, _ in prepared.values() if request.days]
    try:
        connection = jobs.connect(rt, batch.source)
        quota = jobs.quota_of(batch.source)
        answers = (
            gates.call(rt, quota, lambda: connection.read(asked), where=where) if asked else {}
        )
    except (ClientError, DeferredError) as error:
        _source_failed(rt, batch, error)
        for job, _, _ in prepared.values():
            setbacks.not_now(rt, job, error, where=where)
        return []
    rt.step("fetched")
    if rt.clock.now() - (batch.source.used_at or 0.0) > USED_TO_THE_MINUTE:
        with rt.ledger.write() as session:
            sources.used(session, batch.source.id or 0, rt.clock.now())
    decided = []
    for feed_id, (job, request, rules) in prepared.items():
        answer = answers.get(feed_id, {})
        if isinstance(answer, ClientError):
            setbacks.not_now(rt, job, answer, where=where)
            continue
        with rt.ledger.read() as session:
            landed = jobs.landed_values(session, feed_id)
        decided.append(
            (job, decide.decide(rules, request.days, answer, now=request.now, landed=landed))
        )
    return decided


def _source_failed(rt: Runtime, batch: Batch, error: ClientError | DeferredError) -> None:
    if not isinstance(error, DeferredError):
        state = SourceState.REAUTHORIZE if isinstance(error, AuthFailed) else SourceState.FAILING
        with rt.ledger.write() as session:
            sources.mark(session, batch.source.id or 0, state=state, error=str(error))


def _land(rt: Runtime, batch: Batch, job: Job, verdicts: list[Verdict], access: Access) -> None:
    """Record what was read, push what changed, and end the claim: in this order, always."""
    feed_id = job.held.feed_id
    pushed = push.Pushed()
    try:
        with rt.ledger.write() as session:
            now = rt.clock.now()
            feeds.hold(session, job.held, now)
            outbox.record_days(session, feed_id, [_seen(verdict) for verdict in verdicts], now)
            outbox.record_points(
                session,
                goal_id=job.feed.goal_id,
                feed_id=feed_id,
                points=[verdict.point for verdict in verdicts if verdict.point is not None],
                now=now,
            )
            points = outbox.pending(session, feed_id)
        rt.step("recorded")
        if job.feed.doubtful:
            push.read_back(rt, access, job.goal.slug, job.held)
            with rt.ledger.read() as session:
                points = outbox.pending(session, feed_id)
        if points:
            push.send(rt, access, job.goal.slug, job.held, points, pushed)
        refused = push.worst(pushed)
        if refused is not None:
            setbacks.not_now(rt, job, refused, where=WHERE, pushed=pushed)
        else:
            _finish(rt, batch, job, pushed)
    except FencedError:
        setbacks.fenced(rt, job, pushed)
    except (ClientError, DeferredError) as error:
        setbacks.not_now(rt, job, error, where=WHERE, pushed=pushed)
    finally:
        rt.leases.drop([feed_id])


def _seen(verdict: Verdict) -> outbox.SeenDay:
    day = verdict.day
    return outbox.SeenDay(
        daystamp=day.daystamp,
        starts_at=day.starts_at,
        ends_at=day.ends_at,
        value=verdict.reading.value,
        note=verdict.why if verdict.point is None else None,
    )


def _finish(rt: Runtime, batch: Batch, job: Job, pushed: push.Pushed) -> None:
    now = rt.clock.now()
    # Spread the schedules of feeds that started together.
    next_at = now + job.feed.every * rt.rng.uniform(0.95, 1.0)
    with rt.ledger.write() as session:
        pushed.mark(session, now)
        feeds.finish(session, job.held, now=now, next_at=next_at, written=len(pushed.landed))
        if batch.source.state != SourceState.ACTIVE:
            sources.mark(session, batch.source.id or 0, state=SourceState.ACTIVE, error=None)
    rt.trace("finished")
    log.info("feed.synced", feed=job.held.feed_id, goal=job.name, written=len(pushed.landed))
