"""What a sync would send, and why, for a person who checks one figure by hand. Sends nothing."""

from dataclasses import dataclass

from sqlmodel import Session, col, select

from clients.errors import NotFound
from db.feeds import Claim
from db.models import Datapoint, Feed, Lane
from tasks import decide, facts, gates, jobs
from tasks.beeminder import Access
from tasks.decide import Verdict
from tasks.providers import Answer, Request
from tasks.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Planned:
    """One day: what the source says, what would be done (`create`, `update`, `unchanged` or
    `nothing`), and why.
    """

    verdict: Verdict
    action: str


def preview(rt: Runtime, feed_id: int) -> list[Planned]:
    """Read the source as a sync would; changes nothing but facts that were out of date.

    Raises the tree of `clients.errors`, and `DeferredError` when a limit says to wait.
    """
    with rt.ledger.read() as session:
        feed = session.get_one(Feed, feed_id)
        # A claim that was never made: it only names the feed, nothing is written with it.
        named = Claim(feed_id, feed.source_id, feed.epoch, feed.asked, "preview", Lane.URGENT)
        batch = jobs.load(session, [named])
    job = batch.jobs[0]
    missing = facts.refresh(rt, Access(rt, batch.user.id or 0), batch.user, [job.goal])
    if missing:
        message = f"there is no goal {job.goal.slug!r} at Beeminder"
        raise NotFound(message, reason="goal_not_found")
    metric, params = jobs.metric_of(jobs.provider_of(rt, batch.source), feed)
    rules = jobs.rules_of(rt, batch, job, metric, params)
    now = rt.clock.now()
    with rt.ledger.read() as session:
        windows = jobs.windows_of(rt, session, batch, job)
        landed = jobs.landed_values(session, feed_id)
        known = _known(session, feed.goal_id)
    request = Request(key=feed_id, metric=metric.name, params=params, days=windows, now=now)
    answer: Answer = {}
    if windows:
        connection = jobs.connect(rt, batch.source)
        answer = gates.call(
            rt,
            jobs.quota_of(batch.source),
            lambda: connection.read([request]),
            where=f"source {batch.source.name}",
        )[feed_id]
    if isinstance(answer, Exception):
        raise answer
    verdicts = decide.decide(rules, windows, answer, now=now, landed=landed)
    return [Planned(verdict, _action(verdict, known)) for verdict in verdicts]


def _known(session: Session, goal_id: int) -> dict[str, Datapoint]:
    rows = session.exec(select(Datapoint).where(col(Datapoint.goal_id) == goal_id))
    return {row.requestid: row for row in rows}


def _action(verdict: Verdict, known: dict[str, Datapoint]) -> str:
    if verdict.point is None:
        return "nothing"
    row = known.get(verdict.point.requestid)
    if row is None:
        return "create"
    return "unchanged" if row.landed_hash == verdict.point.content_hash else "update"
