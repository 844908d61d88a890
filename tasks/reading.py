"""From claimed feeds to judged points: what is asked of a source, and what follows from its answer.

The steps are the same for a sync, a backfill and a preview; they differ in the days they look at
and in what they do about the outcome.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from sqlmodel import Session

from clients.errors import ClientError
from db import recording
from db.outbox import Action, Judged
from db.recording import SeenDay
from db.stored import StoredPoint
from tasks import adopt, bounds, connecting, corrections, days, decide, jobs, memory
from tasks.beeminder import WHERE, Access
from tasks.corrections import Wanted
from tasks.days import Window
from tasks.decide import Past, Rules, Verdict
from tasks.fit import Shape
from tasks.gates import DeferredError
from tasks.jobs import Batch, Job
from tasks.memory import Memory
from tasks.providers import Answer, Reading, Request
from tasks.runtime import Runtime

REMEMBERED_DAYS = 400  # beyond those that are looked at


class LookFirstError(Exception):
    """The goal has to be looked at before this feed's question can be put together."""


@dataclass(slots=True, kw_only=True)
class Question:
    """One feed's question, and all that decides about its answer. `base` is a day before the
    first: its reading is what a difference starts from, it is not written. `kept_back`: the running
    total that the days before come to, where that waits for a person: what goes on from it waits
    with it.
    """

    job: Job
    rules: Rules
    request: Request
    windows: tuple[Window, ...]
    memory: Memory
    past: Past
    base: Window | None = None
    found: adopt.Found | None = None
    kept_back: float | None = None


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What a source's answer comes to for one feed.

    `holds`: something was kept back when it was recorded. Only then something may be afterwards:
    nobody else keeps points of a feed back, and a person only lets them go.
    """

    question: Question
    verdicts: list[Verdict] = field(default_factory=list)
    judged: list[Judged] = field(default_factory=list)
    holds: bool = True


def prepare(
    rt: Runtime,
    batch: Batch,
    job: Job,
    access: Access | None,
    *,
    windows: Sequence[Window] | None = None,
) -> Question:
    """Put a feed's question together; `windows` None: the days that a sync reads.

    A feed that was never looked at is looked at first (`tasks.adopt`); without an `access` that
    raises `LookFirstError`. Raises `Permanent` for settings that don't fit, the tree of
    `clients.errors`, and `DeferredError`.
    """
    metric, params = connecting.metric_of(connecting.provider_of(rt, batch.source), job.feed)
    rules = jobs.rules_of(rt, batch, job, metric, params)
    new = adopt.needed(job.feed, rules)
    if new and access is None:
        raise LookFirstError
    with rt.ledger.read() as session:
        known = _days_of(session, rt, batch, job, windows)
        now = rt.clock.now()  # one instant for all: a day may end while we are at it
        asked = tuple(jobs.windows_of(rt, batch, job, known, now) if windows is None else windows)
        if asked and not new:
            memory.load_points(session, known, job.held.feed_id, asked[0].daystamp)
    found = None
    if asked and new and access is not None:
        first = asked[0].daystamp
        found = adopt.look(access, job.goal.slug, job.feed, rules, first=first)
        with rt.ledger.read() as session:
            memory.load_points(session, known, job.held.feed_id, first)
            mine = adopt.known(session, job.feed, rules)
        job.feed.cursor = dict(found.cursor)
        memory.remember(known, adopt.merged(job.feed, mine, found, now), asked[0].daystamp)
    past = memory.past_of(known, rules.shape, job.feed, asked)
    if found is not None:  # what was read before was perhaps of something else
        past = replace(past, read={})
    needs_base = rules.shape == Shape.DIFFERENCE and rules.history and past.before is None
    base = _day_before(batch, job, known, asked[0], now) if needs_base and asked else None
    read = asked if base is None else (base, *asked)
    request = Request(key=job.held.feed_id, metric=metric.name, params=params, days=read, now=now)
    return Question(
        job=job,
        rules=rules,
        request=request,
        windows=asked,
        memory=known,
        past=past,
        base=base,
        found=found,
    )


def days_between(rt: Runtime, batch: Batch, job: Job, first: str, last: str) -> tuple[Window, ...]:
    """The days from `first` to `last` (YYYYMMDD), with the bounds that finished ones had.

    Raises ValueError for a day that has not begun.
    """
    tz, deadline = jobs.zone_of(batch), job.goal.deadline
    known = recall(rt, batch, job, [days.window(days.parse(first), tz, deadline)])
    return bounds.days_between(
        first, last, now=rt.clock.now(), tz=tz, deadline=deadline, known=known.bounds()
    )


def recall(rt: Runtime, batch: Batch, job: Job, windows: Sequence[Window] | None = None) -> Memory:
    """The days of a feed as the ledger has them, from a good while before `windows` (or now)."""
    with rt.ledger.read() as session:
        return _days_of(session, rt, batch, job, windows)


def _days_of(
    session: Session, rt: Runtime, batch: Batch, job: Job, windows: Sequence[Window] | None
) -> Memory:
    now = rt.clock.now()
    first = windows[0].daystamp if windows else None
    day = days.parse(first or days.day_of(now, jobs.zone_of(batch), job.goal.deadline))
    since = days.stamp(day - timedelta(days=REMEMBERED_DAYS + rt.options.lookback_days))
    return memory.load_days(session, job.held.feed_id, since=since)


def _day_before(batch: Batch, job: Job, known: Memory, first: Window, now: float) -> Window | None:
    """The day before the first, for a difference that has nothing else to start from."""
    day = days.stamp(days.parse(first.daystamp) - days.ONE_DAY)
    found = bounds.days_between(
        day,
        day,
        now=now,
        tz=jobs.zone_of(batch),
        deadline=job.goal.deadline,
        known=known.bounds(),
    )
    return found[0] if found else None


def ask(rt: Runtime, batch: Batch, questions: Sequence[Question]) -> dict[int, Answer]:
    """Ask the source once for all of them; answers by feed. Raises what concerns the source."""
    requests = [question.request for question in questions if question.request.days]
    if not requests:
        return {}
    return connecting.connect(rt, batch.source).read(requests)


def where(batch: Batch) -> str:
    """How errors of this source are told."""
    return f"source {batch.source.name}"


def whose(error: ClientError | DeferredError, batch: Batch, job: Job) -> str:
    """How an error is told that came before the source was asked.

    Settings are the source's; whatever else goes wrong then is Beeminder's.
    """
    if isinstance(error, jobs.UnfitGoalError):
        return f"goal {job.goal.slug}"
    return where(batch) if isinstance(error, connecting.BadSettingsError) else WHERE


def settle(rt: Runtime, question: Question, answer: Answer) -> Outcome:
    """What is to be done about each day; raises the answer if it is an error."""
    if isinstance(answer, Exception):
        raise answer
    past = question.past
    if question.base is not None:
        reading = answer.get(question.base.daystamp, Reading(None))
        past = replace(past, before=reading.value)
    rules, windows, now = question.rules, question.windows, question.request.now
    wanted = past if question.kept_back is None else replace(past, before=question.kept_back)
    verdicts = decide.decide(rules, windows, answer, now=now, past=wanted)
    judged = _judge(rt, question, verdicts)
    if rules.shape.builds and windows and windows[-1].ends_at > now:
        # Today goes on from what earlier days come to once they are judged.
        stands = memory.stands(question.memory, rules, past, verdicts[:-1], judged)
        past = replace(past, before=stands)
        verdicts[-1:] = decide.decide(rules, windows[-1:], answer, now=now, past=past)
        judged = _judge(rt, question, verdicts)
    return Outcome(question=question, verdicts=verdicts, judged=judged)


def _judge(rt: Runtime, question: Question, verdicts: Sequence[Verdict]) -> list[Judged]:
    now = question.request.now
    wanted = [
        Wanted(point, now - verdict.day.ends_at if verdict.day.ends_at <= now else None)
        for verdict in verdicts
        for point in verdict.points
    ]
    stance = jobs.stance_of(rt, question.job, question.rules)
    if question.kept_back is not None:
        stance = replace(stance, many=0)
    return corrections.judge(stance, wanted, question.memory.by_requestid())


def record(session: Session, outcome: Outcome, now: float) -> list[StoredPoint]:
    """Write down what was read and what is to be sent, in the transaction of the feed's holder.

    Returns what the feed has to push then, as `outbox.pending` does.
    """
    question = outcome.question
    job = question.job
    if question.found is not None:
        adopt.store(session, job.feed, question.rules, question.found, now)
    recorded = recording.record(
        session,
        goal_id=job.feed.goal_id,
        feed_id=job.held.feed_id,
        days=[_seen(verdict, outcome.judged) for verdict in outcome.verdicts],
        judged=outcome.judged,
        read_at=question.request.now,  # a day that has ended since was not read to its end
        now=now,
        epoch=job.held.epoch,
    )
    job.ends.update({verdict.day.daystamp: verdict.day.ends_at for verdict in outcome.verdicts})
    outcome.holds = bool(recorded.held)
    return recorded.pending


def _seen(verdict: Verdict, judged: Sequence[Judged]) -> SeenDay:
    day = verdict.day
    keeps = frozenset(point.requestid for point in verdict.points)
    left = next(
        (one.why for one in judged if one.action == Action.LEAVE and one.point.requestid in keeps),
        None,
    )
    return SeenDay(
        daystamp=day.daystamp,
        starts_at=day.starts_at,
        ends_at=day.ends_at,
        value=verdict.reading.value,
        note=left if verdict.points else verdict.why,
        unit=verdict.reading.unit,
        keeps=keeps,
    )
