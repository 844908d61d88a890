"""Past days read again because a person asked: one chunk of one feed at a time, oldest first.

A chunk is a small sync of other days: the same questions, the same judgement, the same outbox. It
holds the feed's lease for as long as it takes and gives it back, so that a callback that came in
meanwhile has its turn. The feed's own schedule and its events are left alone. Killed between any
two steps, a chunk is done again; only its last transaction moves the backfill on.
"""

import structlog

from clients.errors import ClientError, NotFound
from db import backfills, feeds, notices
from db.feeds import FencedError
from db.models import Feed
from db.outbox import Action
from db.states import Lane
from tasks import (
    backfill_setbacks,
    callbacks,
    connecting,
    days,
    deaths,
    edits,
    facts,
    gates,
    jobs,
    memory,
    outages,
    push,
    reading,
    setbacks,
    tracing,
)
from tasks.backfill_chunk import Chunk, ImpossibleBackfillError
from tasks.beeminder import WHERE, Access
from tasks.fit import Shape
from tasks.gates import DeferredError
from tasks.providers import Metric
from tasks.runtime import Runtime, Stopping

log = structlog.get_logger(__name__)

NOT_BEGUN_AGAIN = 3600.0  # a day that has not begun after all: the person travelled west


def objection(metric: Metric, feed: Feed, first: str) -> str | None:
    """Why days of this feed from `first` (YYYYMMDD) on can't be read again, None when they can."""
    if not metric.history:
        return f"{metric.name} can only be read as it is now: its source can't say how it was"
    if feed.since is not None and first < feed.since:
        return (
            f"since is {days.parse(feed.since)}: earlier days are never touched; start there, or "
            "change `since` in the file"
        )
    began = feed.cursor.get("running_from")
    if began and first < began and feed.cursor.get("shape") == Shape.RUNNING:
        return (
            f"this goal is sent a running total that starts on {days.parse(began)}, and earlier "
            "days are in what it showed before: start there"
        )
    return None


def run(rt: Runtime, *, alone: bool = False) -> bool:
    """Do one chunk of one backfill; False when there was none to do.

    `alone`: of a feed that runs alone.
    """
    deaths.bury(rt)
    callbacks.open_new(rt)  # feeds that are wanted are due from now on, and go first
    now = rt.clock.now()
    with rt.ledger.read() as session:
        if rt.stopping.is_set() or not backfills.any_due(session, now, alone=alone):
            return False
    with rt.ledger.write() as session:
        now = rt.clock.now()  # behind the lock, as in `tasks.sync`
        claimed = backfills.claim(session, owner=rt.owner, now=now, alone=alone)
    if claimed is None:
        return False
    held, row = claimed
    rt.trace("backfill.claimed")
    with rt.leases.holding([held.feed_id], now):
        try:
            with rt.ledger.read() as session:
                batch = jobs.load(session, [held])
        except FencedError:
            return True
        access = Access(rt, batch.user.id or 0)
        chunk = Chunk(batch=batch, job=batch.jobs[0], row=row, access=access)
        try:
            with (
                gates.errand(Lane.BULK),
                tracing.work(rt.tracer, "backfill", (), feed=held.feed_id),
            ):
                _work(rt, chunk)
        except Stopping:
            log.info("backfill.handed_back", feed=held.feed_id)
        except FencedError:
            setbacks.fenced(rt, chunk.job, chunk.pushed)
        except (ClientError, DeferredError) as error:
            backfill_setbacks.not_now(rt, chunk, error)
        outages.linked(rt, access, troubled=batch.troubled)
    return True


def _work(rt: Runtime, chunk: Chunk) -> None:
    """Read, record, push, move on. Raises what a setback is made of."""
    job, held = chunk.job, chunk.job.held
    missing = facts.refresh(rt, chunk.access, chunk.batch.user, [job.goal])
    if missing:
        message = f"there is no goal {job.goal.slug!r} any more; link another one"
        raise NotFound(message, reason="goal_not_found")
    if setbacks.rests(rt, job):
        return  # the backfill waits for the goal as the feed does
    outcome = _read(rt, chunk)
    with rt.ledger.write() as session:
        now = rt.clock.now()
        feeds.hold(session, held, now)
        reading.record(session, outcome, now)
    rt.step("backfill.recorded")
    with rt.ledger.read() as session:
        points = chunk.pending(session)
    if points:
        allowed = edits.respect(rt, chunk.batch, job, chunk.access, points)
        if len(allowed) < len(points) and outcome.question.rules.shape.builds:
            _work(rt, chunk)  # later days go on from what a person made of this one
            return
        push.send(rt, chunk.access, job.goal.slug, held, allowed, chunk.pushed)
    refused = push.worst(chunk.pushed)
    if refused is not None:
        raise refused
    _advance(rt, chunk, outcome)


def _read(rt: Runtime, chunk: Chunk) -> reading.Outcome:
    """Ask the source for the days of the chunk, and judge what it says."""
    batch, job, first = chunk.batch, chunk.job, chunk.row.next_day
    chunk.where = reading.where(batch)
    metric, _ = connecting.metric_of(connecting.provider_of(rt, batch.source), job.feed)
    why_not = objection(metric, job.feed, first)
    if why_not is not None:  # the file or the goal has changed since it was asked for
        raise ImpossibleBackfillError(why_not)
    try:
        windows = reading.days_between(rt, batch, job, first, chunk.last)
    except ValueError as error:
        raise DeferredError(
            rt.clock.now() + NOT_BEGUN_AGAIN, {"code": "not_begun", "message": str(error)}
        ) from None
    try:
        question = reading.prepare(rt, batch, job, chunk.access, windows=windows)
    except (ClientError, DeferredError) as error:
        chunk.where = reading.whose(error, batch, job)
        raise
    kept = memory.kept_back(question.memory)
    if question.rules.shape == Shape.RUNNING and kept is not None and first > chunk.row.first_day:
        question.kept_back = kept.value  # or each approval would only move the step by a chunk
    answer = outages.ask(rt, batch, [question]).get(job.held.feed_id, {})
    rt.step("backfill.fetched")
    outcome = reading.settle(rt, question, answer)
    chunk.where = WHERE
    return outcome


def _advance(rt: Runtime, chunk: Chunk, outcome: reading.Outcome) -> None:
    """End the claim and move the backfill on, in one transaction. Raises `FencedError`."""
    held, row = chunk.job.held, chunk.row
    kept = sum(one.action == Action.HOLD for one in outcome.judged)
    now = rt.clock.now()
    last_day = row.last_day
    if outcome.question.rules.shape == Shape.RUNNING:
        # What an earlier day adds is in the total of every later one.
        today = days.day_of(now, jobs.zone_of(chunk.batch), chunk.job.goal.deadline)
        last_day = max(last_day, today)
    elif outcome.question.rules.shape == Shape.DIFFERENCE and _moved(outcome):
        last_day = max(last_day, days.following(chunk.last))
    with rt.ledger.write() as session:
        chunk.pushed.mark(session, held, now)
        backfills.advance(
            session,
            row.id or 0,
            next_day=days.following(chunk.last),
            last_day=last_day,
            written=len(chunk.pushed.landed),
            held=kept,
            now=now,
        )
        notices.clear(session, subject=chunk.subject, kind=backfills.NOTICE, now=now)
        feeds.release(session, held, done=True)
        wanted = session.get_one(Feed, held.feed_id).due_at <= now
    rt.trace("backfill.advanced")
    log.info(
        "backfill.advanced",
        feed=held.feed_id,
        days=f"{row.next_day}..{chunk.last}",
        written=len(chunk.pushed.landed),
        held=kept,
    )
    if wanted:  # by a callback that came while we held the feed
        rt.ring("sync", Lane.URGENT.name.lower())


def _moved(outcome: reading.Outcome) -> bool:
    """Has the last day another reading than the one that the day after it was taken from?"""
    last, known = outcome.verdicts[-1], outcome.question.memory.days
    before, after = known.get(last.day.daystamp), known.get(days.following(last.day.daystamp))
    if after is None or after.seen_at is None:
        return False
    return before is None or before.value != last.reading.value
