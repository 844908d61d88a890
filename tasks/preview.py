"""What a sync would send, and why, for a person who checks one figure by hand. Sends nothing."""

from dataclasses import dataclass

from clients.errors import NotFound, Permanent
from db.feeds import Claim
from db.models import Feed
from db.outbox import Action, Judged, Point
from db.states import Lane
from tasks import facts, jobs, reading, setbacks
from tasks.beeminder import Access
from tasks.decide import Verdict
from tasks.jobs import Batch
from tasks.reading import Question
from tasks.runtime import Runtime


class RestingError(Permanent):
    """The goal takes no data for now: nothing would be sent."""


@dataclass(frozen=True, slots=True)
class Planned:
    """One day's point: what the source says, what would be done (`create`, `update`, `unchanged`,
    `hold` or `nothing`), and why. `there` is the value that is at Beeminder now, if one is.
    """

    verdict: Verdict
    point: Point | None
    action: str
    why: str
    there: float | None


def preview(
    rt: Runtime, feed_id: int, *, first: str | None = None, last: str | None = None
) -> list[Planned]:
    """Read the source as a sync would; changes nothing but facts that were out of date.

    `first` and `last` (YYYYMMDD): those days instead of the ones that a sync looks at. Raises the
    tree of `clients.errors`, and `DeferredError` when a limit says to wait.
    """
    with rt.ledger.read() as session:
        feed = session.get_one(Feed, feed_id)
        # A claim that was never made: it only names the feed, nothing is written with it.
        named = Claim(feed_id, feed.source_id, feed.epoch, feed.asked, "preview", Lane.URGENT)
        batch = jobs.load(session, [named])
    access = Access(rt, batch.user.id or 0)
    know(rt, access, batch)
    return plan(rt, access, batch, first=first, last=last)


def know(rt: Runtime, access: Access, batch: Batch) -> None:
    """Read the facts of the one goal of this batch, where they are out of date.

    Raises `NotFound`, and `RestingError` where nothing would be sent.
    """
    (job,) = batch.jobs
    missing = facts.refresh(rt, access, batch.user, [job.goal])
    if missing:
        message = f"there is no goal {job.goal.slug!r} at Beeminder"
        raise NotFound(message, reason="goal_not_found")
    rests = facts.resting(job.goal)
    if rests is not None:
        raise RestingError(f"{job.goal.slug} {setbacks.RESTING[rests]}", reason=rests)


def plan(
    rt: Runtime,
    access: Access,
    batch: Batch,
    *,
    first: str | None = None,
    last: str | None = None,
) -> list[Planned]:
    """What would be done about the one feed of this batch, which may be a draft; see `preview`."""
    (job,) = batch.jobs
    windows = None
    if first is not None and last is not None:
        windows = reading.days_between(rt, batch, job, first, last)
    question = reading.prepare(rt, batch, job, access, windows=windows)
    answer = reading.ask(rt, batch, [question]).get(job.held.feed_id, {})
    outcome = reading.settle(rt, question, answer)
    judged = {one.point.requestid: one for one in outcome.judged}
    planned = []
    for verdict in outcome.verdicts:
        if not verdict.points:
            planned.append(
                Planned(verdict, None, "nothing", verdict.why, _there(question, verdict))
            )
        planned += [
            _planned(question, verdict, judged[point.requestid]) for point in verdict.points
        ]
    return planned


def _there(question: Question, verdict: Verdict) -> float | None:
    rows = [row for row in question.memory.points if row.daystamp == verdict.day.daystamp]
    values = [row.landed_value for row in rows if row.landed_value is not None]
    return sum(values) if values else None


def _planned(question: Question, verdict: Verdict, judged: Judged) -> Planned:
    row = question.memory.by_requestid().get(judged.point.requestid)
    there = None if row is None else row.landed_value
    if judged.action == Action.SEND:
        unchanged = row is not None and row.landed_hash == judged.point.content_hash
        action = "unchanged" if unchanged else "create" if there is None else "update"
    else:
        action = "hold" if judged.action == Action.HOLD else "nothing"
    return Planned(verdict, judged.point, action, judged.why or verdict.why, there)
