"""The main job: claim, fetch, record, push, finish.

Every step ends in a committed transaction, so a process may be killed between any two of them:
the leases end, the work is claimed again, and the same facts give the same datapoints.
"""

from collections.abc import Callable, Sequence

import structlog

from clients.errors import AuthFailed, ClientError, NotFound, Permanent
from db import claiming, feeds, left_to_do, outbox, sources
from db.feeds import Claim, FencedError
from db.states import Lane, SourceState
from tasks import (
    beside,
    callbacks,
    deaths,
    edits,
    facts,
    finishing,
    gates,
    jobs,
    outages,
    push,
    reading,
    setbacks,
    tracing,
)
from tasks.batch_turns import LANDED_WITHIN, PREPARED_WITHIN, Turns
from tasks.beeminder import WHERE, Access
from tasks.gates import DeferredError
from tasks.jobs import Batch, Job
from tasks.providers import Answer
from tasks.reading import Outcome, Question
from tasks.runtime import Runtime, Stopping

log = structlog.get_logger(__name__)

Answers = dict[int, Answer] | ClientError | DeferredError
"""What a source answers, by feed, or why it does not."""

USED_TO_THE_MINUTE = 60.0


def run(rt: Runtime, lane: Lane, *, alone: bool = False, look: bool = True) -> bool:
    """Do one piece of work: the due feeds of one source. False when there was none.

    Where no feed is due a callback's name is looked up: who can be answered goes first.

    `alone`: one feed that runs alone (`tasks.suspects`). `look`: whether there is any is unknown.
    """
    deaths.bury(rt)
    opened = callbacks.open_new(rt)
    if rt.stopping.is_set():
        return False
    claims, now = _claim(rt, lane, alone=alone, look=look and not opened)
    if not claims:
        return not alone and callbacks.look_one_up(rt)
    rt.trace("claimed")
    with rt.leases.holding([held.feed_id for held in claims], now):
        try:
            with rt.ledger.read() as session:
                batch = jobs.load(session, claims)
        except FencedError:
            return True
        with (
            gates.errand(min(held.lane for held in claims)),
            tracing.work(
                rt.tracer,
                "sync",
                batch.askers,
                source_id=batch.source.id or 0,
                feeds=len(claims),
            ),
        ):
            _work(rt, batch, now)
    return True


def pieces(rt: Runtime, lane: Lane) -> Callable[[], bool]:
    """`run`, each time but the first where a look shows that there is more to do.

    A bell says that there is something; the piece after it is mostly looked for in vain.
    """
    begun = False

    def once() -> bool:
        nonlocal begun
        if begun:
            with rt.ledger.read() as session:
                if not left_to_do.any_left(session, lane, rt.clock.now()):
                    return False
        look, begun = not begun, True
        return run(rt, lane, look=look)

    return once


def _claim(rt: Runtime, lane: Lane, *, alone: bool, look: bool) -> tuple[list[Claim], float]:
    """What is claimed, and the instant that its lease counts from.

    `look` first whether there is anything: every piece of work ends with a look that finds nothing.
    """
    now = rt.clock.now()
    if look:
        with rt.ledger.read() as session:
            if not claiming.any_due(session, lane, now, alone=alone):
                return [], now
    together = {name: provider.together for name, provider in rt.providers.items()}
    with rt.ledger.write(durable=False) as session:
        now = rt.clock.now()  # behind the lock: the lease counts from when it is written
        return claiming.claim(
            session, owner=rt.owner, now=now, lane=lane, together=together, alone=alone
        ), now


def _work(rt: Runtime, batch: Batch, since: float) -> None:
    """Sync these feeds; whatever happens to one of them, the others go on while they can."""
    access = Access(rt, batch.user.id or 0, known=batch.user, read_at=since)
    turns = Turns(rt, access, since=since)
    try:
        outcomes = _outcomes(rt, batch, access, turns)
        for number, outcome in enumerate(outcomes):
            if turns.comes(outcome.question.job, first=number == 0, within=LANDED_WITHIN):
                _land(rt, batch, outcome, access, turns)
        outages.linked(rt, access, troubled=batch.troubled)
    except Stopping:
        log.info("sync.handed_back", source=batch.source.name)


def _outcomes(rt: Runtime, batch: Batch, access: Access, turns: Turns) -> list[Outcome]:
    """What the source says, by the facts of now: read before it is asked, or meanwhile."""
    questions = beside.questions(rt, batch)
    if questions is None:
        return _fetch(rt, batch, alive(rt, batch, access), access, turns)
    with beside.facts_read(rt, batch, access, questions) as read:
        answers = _ask(rt, batch, questions)
    try:
        found = read.found()
    except (ClientError, DeferredError) as error:
        setbacks.none_now(rt, batch.jobs, error, where=WHERE)
        return []
    if not found.moved:
        return _settle(rt, batch, questions, answers)
    return _fetch(rt, batch, _awake(rt, batch, found.missing), access, turns)


def alive(rt: Runtime, batch: Batch, access: Access) -> list[Job]:
    """The jobs whose goals are there and count; the others are settled here."""
    goals = [job.goal for job in batch.jobs]
    now = rt.clock.now()
    put_off = max(now - (job.feed.deferred_since or now) for job in batch.jobs)
    lanes = [job.held.lane for job in batch.jobs]
    seconds = facts.believed(lanes, of=batch.user.id or 0, put_off=put_off)
    try:
        missing = facts.refresh(rt, access, batch.user, goals, seconds=seconds)
    except (ClientError, DeferredError) as error:
        setbacks.none_now(rt, batch.jobs, error, where=WHERE)
        return []
    return _awake(rt, batch, missing)


def _awake(rt: Runtime, batch: Batch, missing: dict[int, Permanent]) -> list[Job]:
    awake = []
    for job in batch.jobs:
        gone = missing.get(job.goal.id or 0)
        if gone is not None:
            setbacks.not_now(rt, job, _no_goal(job, gone), where=WHERE)
        elif not setbacks.rests(rt, job):
            awake.append(job)
    return awake


def _no_goal(job: Job, gone: Permanent) -> Permanent:
    if not isinstance(gone, NotFound):
        return gone
    message = f"there is no goal {job.goal.slug!r} any more; link another one"
    return NotFound(message, reason="goal_not_found", request_id=gone.request_id)


def _fetch(
    rt: Runtime, batch: Batch, awake: list[Job], access: Access, turns: Turns
) -> list[Outcome]:
    """Ask the source once for all of them; failed jobs are settled here."""
    questions: list[Question] = []
    for number, job in enumerate(awake):
        if not turns.comes(job, first=number == 0, within=PREPARED_WITHIN):
            continue
        gates.give_way(rt)
        try:
            questions.append(reading.prepare(rt, batch, job, access))
        except (ClientError, DeferredError) as error:
            setbacks.not_now(rt, job, error, where=reading.whose(error, batch, job))
    return _settle(rt, batch, questions, _ask(rt, batch, questions))


def _ask(rt: Runtime, batch: Batch, questions: Sequence[Question]) -> Answers:
    """What the source answers, or why it does not: nothing comes of that yet."""
    try:
        with rt.tracer.span("fetch"):
            return outages.ask(rt, batch, questions)
    except (ClientError, DeferredError) as error:
        return error


def _settle(
    rt: Runtime, batch: Batch, questions: Sequence[Question], answers: Answers
) -> list[Outcome]:
    """What these answers come to; failed jobs are settled here."""
    where = reading.where(batch)
    if isinstance(answers, Exception):
        _source_failed(rt, batch, answers)
        setbacks.none_now(rt, [question.job for question in questions], answers, where=where)
        return []
    rt.step("fetched")
    if rt.clock.now() - (batch.source.used_at or 0.0) > USED_TO_THE_MINUTE:
        with rt.ledger.write(durable=False) as session:
            sources.used(session, batch.source.id or 0, rt.clock.now())
    outcomes = []
    for question in questions:
        gates.give_way(rt)
        try:
            answer = answers.get(question.job.held.feed_id, {})
            outcomes.append(reading.settle(rt, question, answer))
        except (ClientError, DeferredError) as error:
            setbacks.not_now(rt, question.job, error, where=where)
    return outcomes


def _source_failed(rt: Runtime, batch: Batch, error: ClientError | DeferredError) -> None:
    if not isinstance(error, DeferredError):
        state = SourceState.REAUTHORIZE if isinstance(error, AuthFailed) else SourceState.FAILING
        if (batch.source.state, batch.source.last_error) != (state, str(error)):
            with rt.ledger.write() as session:
                sources.mark_as_read(session, batch.source, state=state, error=str(error))


def _land(rt: Runtime, batch: Batch, outcome: Outcome, access: Access, turns: Turns) -> None:
    """Record what was read, push what changed, and end the claim: in this order, always."""
    job = outcome.question.job
    feed_id = job.held.feed_id
    pushed = push.Pushed()
    gates.give_way(rt)
    try:
        with rt.ledger.write(durable=False) as session:
            now = rt.clock.now()
            feeds.hold(session, job.held, now)
            points = reading.record(session, outcome, now)
        rt.step("recorded")
        gates.give_way(rt)
        if job.feed.doubtful:
            push.read_back(rt, access, job.goal.slug, job.held)
            with rt.ledger.read() as session:
                points = outbox.pending(session, feed_id)
        if points:
            allowed = edits.respect(rt, batch, job, access, points)
            if len(allowed) < len(points) and outcome.question.rules.shape.builds:
                # What is sent of later days goes on from what a person made of this one.
                for anew in _fetch(rt, batch, [job], access, turns):
                    _land(rt, batch, anew, access, turns)
                return
            with rt.tracer.span("push") as span:
                push.send(rt, access, job.goal.slug, job.held, allowed, pushed)
                span.set(landed=len(pushed.landed))
        gates.give_way(rt)
        refused = push.worst(pushed)
        if refused is None:
            finishing.finish(rt, batch, outcome, pushed)
        elif not _rests_by_now(rt, batch, job, access, pushed):
            setbacks.not_now(rt, job, refused, where=WHERE, pushed=pushed)
    except FencedError:
        setbacks.fenced(rt, job, pushed)
    except (ClientError, DeferredError) as error:
        setbacks.not_now(rt, job, error, where=WHERE, pushed=pushed)
    finally:
        rt.leases.drop([feed_id])


def _rests_by_now(rt: Runtime, batch: Batch, job: Job, access: Access, pushed: push.Pushed) -> bool:
    """Was a push refused because the goal rests since its facts were read? Then the claim ended."""
    job.goal.facts_at = None
    try:
        facts.refresh(rt, access, batch.user, [job.goal])
    except (ClientError, DeferredError) as error:
        log.info("goal.not_read_again", feed=job.held.feed_id, reason=str(error))
        return False  # the refusal is what is told
    return setbacks.rests(rt, job, pushed=pushed)
