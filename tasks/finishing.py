"""The end of a sync that went well: what landed is marked, the next look set, people told."""

from collections.abc import Sequence

import structlog
from sqlalchemy import bindparam, select
from sqlmodel import Session, col

from db import feeds, notices, sources, stored
from db.models_points import Datapoint
from db.names import dashed
from db.once import Once
from db.states import DatapointState, Lane, SourceState
from db.stored import StoredPoint
from tasks import datasource, days, fit, guard, jobs, put_off
from tasks.guard import Next
from tasks.jobs import Batch, Job
from tasks.push import Pushed
from tasks.reading import Outcome
from tasks.runtime import Runtime

log = structlog.get_logger(__name__)

SHOWN = 3  # days that a notice names
HELD_AGAIN = 3600.0  # a held correction is read again after an hour

_HELD = Once(
    select(*stored.POINT).where(
        col(Datapoint.feed_id) == bindparam("of_feed"), col(Datapoint.state) == DatapointState.HELD
    )
)


def finish(rt: Runtime, batch: Batch, outcome: Outcome, pushed: Pushed) -> None:
    """End the claim: the feed is fresh. Raises `FencedError`."""
    job = outcome.question.job
    now = rt.clock.now()
    with rt.ledger.write(durable=False) as session:
        # Whoever changes what is held fences us off, so that this stands if the claim does.
        held = _held(session, job) if outcome.holds else []
        following = next_sync(rt, batch, job, now)
        if held and following.at > now + HELD_AGAIN:
            following = Next(now + HELD_AGAIN, Lane.BULK)
        feeds.finish(
            session,
            job.held,
            now=now,
            next_at=following.at,
            lane=following.lane,
            written=len(pushed.landed),
            mark=lambda: pushed.mark_locked(session, job.held, now),
        )
        if batch.source.state != SourceState.ACTIVE:
            sources.mark(session, batch.source.id or 0, state=SourceState.ACTIVE, error=None)
        if put_off.is_put_off(job.feed, now):
            put_off.clear(session, now)
        _tell(session, batch, outcome, held, now)
    rt.trace("finished")
    rt.tally.count("syncs", batch.source.provider, "fresh")
    datasource.consider(rt, job.feed.goal_id)
    log.info(
        "feed.synced",
        feed=job.held.feed_id,
        goal=job.name,
        written=len(pushed.landed),
        held=len(held),
    )


def next_sync(rt: Runtime, batch: Batch, job: Job, now: float) -> Next:
    """When this feed is looked at again: by its own schedule, or for a deadline before that."""
    # Spread the schedules of feeds that started together.
    scheduled = now + job.feed.every * rt.rng.uniform(0.95, 1.0)
    # The deadline is Beeminder's: its day counts, not the one that was stored before a journey.
    tz, deadline = jobs.zone_of(batch), job.goal.deadline
    today = days.parse(days.day_of(now, tz, deadline))
    return guard.next_sync(
        now,
        scheduled=scheduled,
        today=days.window(today, tz, deadline),
        following=days.window(today + days.ONE_DAY, tz, deadline),
        losedate=job.goal.losedate,
        safebuf=job.goal.safebuf,
        rng=rt.rng,
    )


def _held(session: Session, job: Job) -> list[StoredPoint]:
    return stored.points(session, _HELD, {"of_feed": job.held.feed_id})


def _tell(
    session: Session, batch: Batch, outcome: Outcome, held: Sequence[StoredPoint], now: float
) -> None:
    """Say once what a person has to decide or should know; what is over is taken back."""
    job = outcome.question.job
    unit = next((verdict.reading.unit for verdict in outcome.verdicts if verdict.reading.unit), "")
    messages = {
        "held": _words(held, f"{batch.user.username}/{job.name}"),
        "units": fit.units_differ(unit, job.goal.gunits),
        "unfit": None,
        "failing_red": None,
    }
    subject = f"feed:{job.held.feed_id}"
    over = [kind for kind, message in messages.items() if message is None]
    if job.noted:  # each of these is raised by whoever has claimed the feed, so none has come since
        notices.clear_kinds(session, subject=subject, kinds=over, now=now)
    for kind, message in messages.items():
        if message is not None:
            notices.raise_(
                session,
                user_id=batch.user.id or 0,
                subject=subject,
                kind=kind,
                message=message,
                now=now,
            )


def _words(held: Sequence[StoredPoint], name: str) -> str | None:
    if not held:
        return None
    by_day = {row.daystamp or "": row.error for row in held}
    dates = {day: dashed(day) for day in sorted(by_day)}
    shown = [f"{date} ({by_day[day]})" for day, date in list(dates.items())[:SHOWN]]
    more = f" and {len(dates) - SHOWN} more" if len(dates) > SHOWN else ""
    which = next(iter(dates.values())) if len(dates) == 1 else "--all"
    return (
        f"kept back until you decide: {', '.join(shown)}{more}; `waggle approve {name} {which}` "
        "sends it, with --drop what is at Beeminder stays"
    )
