"""How a claim ends whose feed is not fresh: tried again, made to wait for a limit, or stopped.

A goal that takes no data for now is no failure: its feeds rest, and wake when the goal does.
Nothing of a setback is lost: what landed before it is marked, what is still to be pushed waits as
long as the feed does, and the callbacks that wait are told when there is nothing to wait for.
"""

from collections.abc import Sequence

import structlog
from sqlmodel import Session, col

from clients.errors import ClientError
from db import covers, feeds, notices, outbox, people, resting
from db.feeds import FencedError
from db.models import Feed
from db.states import FeedState, Lane
from tasks import alarms, facts, policy, put_off
from tasks.beeminder import WHERE
from tasks.gates import DeferredError
from tasks.jobs import Job
from tasks.policy import Again, Stop, Tried
from tasks.push import Pushed
from tasks.runtime import Runtime

log = structlog.get_logger(__name__)

REST_AGAIN = 3600.0  # a goal that rests is looked at so often at most, if nobody calls
RESTING = {
    resting.FROZEN: (
        "is frozen and takes no data; restart it at Beeminder, and its data follows by itself"
    ),
    resting.ARCHIVED: (
        "is archived; bring it back at Beeminder and its data follows by itself, or "
        "`waggle pause` it for good"
    ),
    resting.FINISHED: (
        "is finished; extend it at Beeminder and its data follows by itself, or "
        "`waggle pause` it for good"
    ),
}


def fenced(rt: Runtime, job: Job, pushed: Pushed) -> None:
    """Somebody else holds the feed. What we have pushed since may be older than theirs."""
    log.warning("sync.fenced", feed=job.held.feed_id, pushed=len(pushed.landed))
    rt.tally.count("syncs", job.provider, "fenced")
    if pushed.begun:
        with rt.ledger.write() as session:
            feeds.doubt(session, job.held.feed_id, rt.clock.now())
        rt.ring("sync", Lane.URGENT.name.lower())


def not_now(
    rt: Runtime,
    job: Job,
    error: ClientError | DeferredError,
    *,
    where: str,
    pushed: Pushed | None = None,
) -> None:
    """End a claim whose feed is not fresh: try again, wait for a limit, or stop with the reason.

    On a day on which its goal derails a feed that stopped is looked at before the deadline all the
    same, and its owner is told.
    """
    now = rt.clock.now()
    try:
        with rt.ledger.write() as session:
            (pushed or Pushed()).mark(session, job.held, now)
            _end(rt, session, job, error, where=where, now=now)
    except FencedError:
        fenced(rt, job, pushed or Pushed())
    finally:
        rt.leases.drop([job.held.feed_id])


def none_now(
    rt: Runtime, jobs: Sequence[Job], error: ClientError | DeferredError, *, where: str
) -> None:
    """The same setback for several feeds of which nothing was sent.

    One transaction for all that no callback waits for: the events of the others would be locked
    before further covers are.
    """
    with rt.ledger.read() as session:
        awaited = covers.awaited(session, [job.held.feed_id for job in jobs])
    for job in jobs:
        if job.held.feed_id in awaited:
            not_now(rt, job, error, where=where)
    together = [job for job in jobs if job.held.feed_id not in awaited]
    if not together:
        return
    ids, lost, now = [job.held.feed_id for job in together], [], rt.clock.now()
    try:
        with rt.ledger.write() as session:
            feeds.lock(session, col(Feed.id).in_(ids))
            for job in together:
                try:
                    feeds.hold(session, job.held, now)
                except FencedError:  # nothing was changed yet, and the others are not concerned
                    lost.append(job)
                else:
                    _end(rt, session, job, error, where=where, now=now)
    finally:
        rt.leases.drop(ids)
    for job in lost:
        fenced(rt, job, Pushed())


def _end(
    rt: Runtime,
    session: Session,
    job: Job,
    error: ClientError | DeferredError,
    *,
    where: str,
    now: float,
) -> None:
    garbled = policy.is_garbled(error)
    decided = policy.decide(
        policy.SYNC,
        error,
        _tried(session, job, now),
        now=now,
        rng=rt.rng,
        every=job.feed.every,
    )
    stored = policy.as_json(error, where=where, decided=decided)
    if isinstance(decided, Stop):
        _stop(session, job, decided, stored, where=where, now=now, garbled=garbled)
        outcome = "failed"
    else:
        _again(rt, session, job, decided, stored, where=where, now=now, garbled=garbled)
        outcome = "deferred" if decided.deferred else "retried"
    rt.tally.count("syncs", job.provider, outcome)


def _stop(
    session: Session,
    job: Job,
    stop: Stop,
    error: dict[str, str],
    *,
    where: str,
    now: float,
    garbled: bool,
) -> None:
    """A person has to do something; until then it is looked at seldom, and when it is asked for."""
    red = alarms.red(session, job, now)
    next_at = now + stop.look_again
    if red is not None:
        alarms.tell(session, job, red, error["message"], now)
        if red.guarded is not None:
            next_at = min(next_at, red.guarded)
    if where == WHERE:  # what it refused may have changed since its facts were read
        people.store_goal_facts(session, job.feed.goal_id, {"facts_at": None})
    _postpone(session, job, due_at=next_at, error=error)
    feeds.fail(session, job.held, now=now, next_at=next_at, error=error, garbled=garbled)
    log.warning("feed.failing", feed=job.held.feed_id, **error)


def _again(
    rt: Runtime,
    session: Session,
    job: Job,
    again: Again,
    error: dict[str, str],
    *,
    where: str,
    now: float,
    garbled: bool,
) -> None:
    red, due_at = alarms.red(session, job, now), now + again.seconds
    if red is not None and alarms.too_late(rt, job, due_at, now):
        alarms.tell(session, job, red, error["message"], now)
    if again.weary is not None:
        put_off.tell(session, job, where=where, now=now)
    _postpone(session, job, due_at=due_at, error=error)
    feeds.put_back(
        session,
        job.held,
        due_at=due_at,
        error=error,
        deferred=again.deferred,
        free=again.free,
        garbled=garbled,
        now=now,
    )
    log.info(
        "feed.put_back",
        feed=job.held.feed_id,
        seconds=round(again.seconds, 1),
        deferred=again.deferred,
        **error,
    )


def _postpone(session: Session, job: Job, *, due_at: float, error: dict[str, str]) -> None:
    """What is to be pushed waits as long as the feed does, and says why."""
    waiting = [row.id or 0 for row in outbox.pending(session, job.held.feed_id)]
    outbox.postpone(session, waiting, due_at=due_at, error=error["message"])


def rests(rt: Runtime, job: Job, *, pushed: Pushed | None = None) -> bool:
    """Does this feed's goal take no data for now? Then the claim ends here, with the reason.

    A feed that rested wakes when its goal is back; False then, and the sync goes on. True also
    when somebody else holds the feed by now. `pushed`: what was sent before that was found out.
    """
    reason = facts.resting(job.goal)
    if reason is not None:
        rest(rt, job, reason, pushed=pushed)
        return True
    if not resting.is_resting(job.feed.state, job.feed.reason):
        return False
    now = rt.clock.now()
    try:
        with rt.ledger.write() as session:
            feeds.wake(session, job.held, now)
            notices.clear(session, subject=_subject(job), kind=resting.NOTICE, now=now)
    except FencedError:
        fenced(rt, job, Pushed())
        rt.leases.drop([job.held.feed_id])
        return True
    log.info("feed.woken", feed=job.held.feed_id, reason=job.feed.reason)
    job.feed.state, job.feed.reason = FeedState.ACTIVE, None
    return False


def rest(rt: Runtime, job: Job, reason: str, *, pushed: Pushed | None = None) -> None:
    """Pause a feed whose goal takes no data: nothing of it is dropped, and it is looked at again.

    `reason`: one of `db.resting.REASONS`.
    """
    now = rt.clock.now()
    pause = max(job.feed.every, REST_AGAIN) * rt.rng.uniform(0.95, 1.0)
    try:
        with rt.ledger.write() as session:
            if pushed is not None:
                pushed.mark(session, job.held, now)
            feeds.rest(
                session,
                job.held,
                now=now,
                next_at=now + pause,
                error={"code": reason, "message": f"{WHERE}: {job.goal.slug} {RESTING[reason]}"},
            )
            if job.feed.reason != reason:
                notices.clear(session, subject=_subject(job), kind=resting.NOTICE, now=now)
            notices.raise_(
                session,
                user_id=job.goal.user_id,
                subject=_subject(job),
                kind=resting.NOTICE,
                key=reason,
                message=f"the goal {RESTING[reason]}",
                now=now,
            )
    except FencedError:
        fenced(rt, job, pushed or Pushed())
    else:
        log.info("feed.resting", feed=job.held.feed_id, reason=reason)
    finally:
        rt.leases.drop([job.held.feed_id])


def _subject(job: Job) -> str:
    return f"feed:{job.held.feed_id}"


def _tried(session: Session, job: Job, now: float) -> Tried:
    """What has been tried for this feed.

    A callback counts its own failures: one that comes in the middle of a long outage is tried as
    often as one that came at its beginning.
    """
    feed = job.feed
    tries, garbled, since = feed.attempts, feed.garbled, feed.failing_since or now
    callback = covers.youngest(session, job.held.feed_id, job.held.epoch)
    if callback is not None:
        tries, since = min(tries, callback[0] - 1), max(since, callback[1])
        garbled = min(garbled, tries)
    return Tried(
        attempts=tries,
        deferrals=feed.deferrals,
        garbled=garbled,
        age=now - since,
        deferred_for=now - (feed.deferred_since or now),
    )
