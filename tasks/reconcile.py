"""Reconciling: compare what the ledger says of a goal with what Beeminder holds, once a day.

It works under the leases of the goal's feeds, so no sync writes meanwhile. What persons changed on
finished days is frozen and told once; whatever is written over is asked for (`waggle reconcile
--repair`). Every step ends in a committed transaction, and doing all of it again changes nothing.
"""

from collections.abc import Collection, Sequence

import structlog
from sqlmodel import col
from sqlmodel import select as select_rows

from clients.errors import ClientError, Permanent
from db import feeds, names, reconciling, sendings
from db.feeds import Claim, FencedError
from db.models import Feed, Goal, User
from db.models_points import Datapoint
from db.reconciling import Subject
from db.states import DatapointState, Lane
from tasks import (
    comparison,
    connecting,
    days,
    deaths,
    facts,
    gates,
    holdings,
    jobs,
    outages,
    policy,
    push,
    reconcile_record,
    repairs,
    setbacks,
    tracing,
)
from tasks.beeminder import Access
from tasks.comparison import Finding, Kind, Span
from tasks.gates import DeferredError
from tasks.policy import Stop, Tried
from tasks.reconcile_report import Done, Report, Told
from tasks.repairs import Repair
from tasks.runtime import Runtime, Stopping

log = structlog.get_logger(__name__)


class NotLookedAtError(Permanent):
    """The ledger came out of a backup, and this goal has not been looked at since."""

    default_reason = "not_looked_at"


class WantedError(Exception):
    """Somebody asks for a feed that is being compared: they go first."""


def run(rt: Runtime, *, alone: bool = False) -> bool:
    """Reconcile the goal that has waited longest; False when none is due.

    `alone`: for one feed that runs alone.
    """
    deaths.bury(rt)
    now = rt.clock.now()
    with rt.ledger.read() as session:
        if not reconciling.any_overdue(session, now, alone=alone):
            return False
    with rt.ledger.write() as session:
        now = rt.clock.now()  # behind the lock, as in `tasks.sync`
        claims = reconciling.claim_overdue(session, owner=rt.owner, now=now, alone=alone)
    if not claims:
        return False
    rt.trace("reconcile.claimed")
    with rt.leases.holding([held.feed_id for held in claims], now):
        try:
            with (
                gates.errand(Lane.BULK),
                tracing.work(rt.tracer, "reconcile", (), feed=claims[0].feed_id),
            ):
                report = _reconcile(
                    rt, claims, Repair.NOTHING, between=lambda: _give_way(rt, claims)
                )
            found = {one.finding.kind.value for one in report.differences}
            log.info("goal.reconciled", goal=report.name, equal=report.equal, found=sorted(found))
        except (ClientError, DeferredError) as error:
            log.info("reconcile.put_back", feed=claims[0].feed_id, reason=str(error))
            _release(rt, claims, compared_at=_again(rt, error) - reconciling.PERIOD)
        except (FencedError, WantedError):
            _release(rt, claims)
        except Stopping:
            log.info("reconcile.handed_back")
    return True


def _again(rt: Runtime, error: ClientError | DeferredError) -> float:
    """When the goal's turn comes again (UTC seconds). It has no counts: each time is the first."""
    now = rt.clock.now()
    decided = policy.decide(policy.RECONCILE, error, Tried(), now=now, rng=rt.rng)
    return now + (decided.look_again if isinstance(decided, Stop) else decided.seconds)


def _give_way(rt: Runtime, claims: Sequence[Claim]) -> None:
    """A callback waits for seconds only, a goal of many pages can wait for a day."""
    rt.step("reconcile.page")
    with rt.ledger.read() as session:
        if reconciling.any_asked(session, claims):
            raise WantedError


def examine(rt: Runtime, goal_id: int, *, repair: Repair) -> Report | None:
    """Reconcile this goal now, for a person; None while a worker has one of its feeds.

    Raises the tree of `clients.errors`, `DeferredError`, `FencedError`, and `Stopping`.
    """
    deaths.bury(rt)
    with rt.ledger.write() as session:
        now = rt.clock.now()
        claims = reconciling.claim_goal(session, goal_id, owner=rt.owner, now=now)
    if not claims:
        return None
    with rt.leases.holding([held.feed_id for held in claims], now):
        try:
            return _reconcile(rt, claims, repair, between=lambda: rt.step("reconcile.page"))
        except (ClientError, DeferredError, FencedError):
            _release(rt, claims)
            raise


def _reconcile(
    rt: Runtime,
    claims: Sequence[Claim],
    repair: Repair,
    between: holdings.Between | None = None,
) -> Report:
    claims = sorted(claims, key=lambda held: held.feed_id)
    with rt.ledger.read() as session:
        feed = session.get(Feed, claims[0].feed_id)
        if feed is None:  # its person has left since it was claimed
            raise FencedError
        goal = session.get_one(Goal, feed.goal_id)
        user = session.get_one(User, goal.user_id)
    access = Access(rt, user.id or 0)
    with outages.counted(rt, access):
        return _compare(rt, claims, repair, goal=goal, user=user, access=access, between=between)


def _compare(
    rt: Runtime,
    claims: Sequence[Claim],
    repair: Repair,
    *,
    goal: Goal,
    user: User,
    access: Access,
    between: holdings.Between | None,
) -> Report:
    with rt.ledger.read() as session:
        restored = [held for held in claims if session.get_one(Feed, held.feed_id).restored]
    if restored:
        message = (
            "the ledger came out of a backup and may be older than what is there: "
            "a sync looks first, then it can be compared"
        )
        raise NotLookedAtError(message)
    missing = facts.refresh(rt, access, user, [goal])
    if missing:
        raise missing[goal.id or 0]
    subject, findings = _look(rt, access, goal, user, between)
    rt.step("reconcile.read")
    leased = {held.feed_id: subject.feeds[held.feed_id] for held in claims}
    decided = repairs.deeds(findings, leased, repair=repair)
    told = reconcile_record.record(rt, claims, subject, decided)
    rt.step("reconcile.recorded")
    asked = _feeds(told, Done.FROZEN, Done.THAWED)  # later days may go on from these
    if any(one.done == Done.WRITTEN for one in told):
        for held in claims:
            _push(rt, access, goal.slug, held, told)
        asked |= _were_a_persons(told)
        subject, findings = _look(rt, access, goal, user)
        told = _outcome(told, subject, findings)
    _release(rt, claims, compared_at=rt.clock.now(), ask=asked, done=True)
    rt.trace("reconcile.finished")
    return _report(subject, findings, told)


def _look(
    rt: Runtime, access: Access, goal: Goal, user: User, between: holdings.Between | None = None
) -> tuple[Subject, list[Finding]]:
    there = holdings.ours(access, goal.slug, between=between)
    with rt.ledger.read() as session:  # after what is there: nobody else may push meanwhile
        subject = reconciling.load(session, goal.id or 0)
    spans = _spans(subject, user, goal)
    now = rt.clock.now()
    findings = comparison.compare(subject.rows, there, spans=spans, now=now)
    odd = [f.row.id or 0 for f in findings if f.row is not None and f.kind == Kind.EDITED]
    with rt.ledger.read() as session:
        unanswered = sendings.unanswered(session, odd)
    if unanswered:
        findings = comparison.compare(
            subject.rows, there, spans=spans, now=now, unanswered=unanswered
        )
    return subject, findings


def _spans(subject: Subject, user: User, goal: Goal) -> dict[tuple[int, str], Span]:
    """The days of all rows: as they were read, else by the zone and deadline of now."""
    try:
        tz = days.zone(user.timezone or "UTC")
    except days.UnknownZoneError as error:
        raise connecting.BadSettingsError(str(error)) from None
    spans = {
        (day.feed_id, day.daystamp): Span(day.starts_at, day.ends_at, day.pinned)
        for day in subject.days
    }
    for row in subject.rows:
        if row.daystamp is not None and (row.feed_id, row.daystamp) not in spans:
            window = days.window(days.parse(row.daystamp), tz, goal.deadline)
            spans[row.feed_id, row.daystamp] = Span(window.starts_at, window.ends_at)
    return spans


def _push(rt: Runtime, access: Access, slug: str, held: Claim, told: Sequence[Told]) -> None:
    """Send what is to be written of this feed, and mark what landed."""
    ids = [
        one.finding.row.id
        for one in told
        if one.done == Done.WRITTEN and one.finding.row and one.finding.row.feed_id == held.feed_id
    ]
    if not ids:
        return
    with rt.ledger.read() as session:
        points = session.exec(
            select_rows(Datapoint)
            .where(col(Datapoint.id).in_(ids), col(Datapoint.state) == DatapointState.PENDING)
            .order_by(col(Datapoint.daystamp), col(Datapoint.id))
        ).all()
    pushed = push.Pushed()
    try:
        push.send(rt, access, slug, held, points, pushed)
    except FencedError:
        with rt.ledger.read() as session:
            job = jobs.load(session, [held]).jobs[0]
        setbacks.fenced(rt, job, pushed)
        raise
    except (ClientError, DeferredError):
        _mark(rt, held, pushed)
        raise
    _mark(rt, held, pushed)


def _mark(rt: Runtime, held: Claim, pushed: push.Pushed) -> None:
    with rt.ledger.write() as session:
        pushed.mark(session, held, rt.clock.now())


def _feeds(told: Sequence[Told], *done: Done) -> set[int]:
    """Feeds with a finding of which this became."""
    return {one.finding.row.feed_id for one in told if one.done in done and one.finding.row}


def _were_a_persons(told: Sequence[Told]) -> set[int]:
    """Feeds with days that were left alone until now: the source may say something else by now."""
    return {
        one.finding.row.feed_id
        for one in told
        if one.done == Done.WRITTEN and one.finding.row and one.finding.row.frozen
    }


def _outcome(told: Sequence[Told], subject: Subject, findings: Sequence[Finding]) -> list[Told]:
    """What was written has been repaired when a second look finds it equal."""
    seen = {finding.requestid: finding.kind for finding in findings}
    errors = {row.requestid: row.error for row in subject.rows}
    outcome = []
    for one in told:
        if one.done == Done.WRITTEN:
            requestid = one.finding.requestid
            landed = seen.get(requestid) == Kind.LANDED
            done, why = (Done.REPAIRED, None) if landed else (Done.FAILED, errors.get(requestid))
            outcome.append(Told(finding=one.finding, done=done, why=why))
        else:
            outcome.append(one)
    return outcome


def _release(
    rt: Runtime,
    claims: Sequence[Claim],
    *,
    compared_at: float | None = None,
    ask: Collection[int] = (),
    done: bool = False,
) -> None:
    """End the claims; a lease that somebody else has by now is theirs."""
    with rt.ledger.write() as session:
        feeds.lock(session, col(Feed.id).in_([held.feed_id for held in claims]))
        feeds.ask(session, ask, rt.clock.now())
        for held in claims:
            try:
                feeds.release(session, held, done=done)
            except FencedError:
                log.warning("reconcile.fenced", feed=held.feed_id)
                continue
            if compared_at is not None:
                reconciling.compared(session, [held.feed_id], compared_at)


def _report(subject: Subject, findings: Sequence[Finding], told: Sequence[Told]) -> Report:
    username, slug = subject.user.username, subject.goal.slug
    return Report(
        name=names.feed_name(username, slug, ""),
        equal=sum(finding.kind == Kind.LANDED for finding in findings),
        told=tuple(one for one in told if one.finding.kind != Kind.LANDED),
        feeds={
            feed_id: names.feed_name(username, slug, feed.label)
            for feed_id, feed in subject.feeds.items()
        },
    )
