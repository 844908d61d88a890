"""When a feed fails on a day on which its goal derails: the owner hears of it at once.

A callback that is held longer than we hold them is answered 503, and Beeminder acts on what it has.
The notice says why, and how to get back to manual entry, which Beeminder's own apps hide while a
source is set.
"""

from dataclasses import dataclass

from sqlmodel import Session

from db import notices
from db.models import User
from tasks import datasource, days, guard
from tasks.jobs import Job
from tasks.runtime import Runtime

KIND = "failing_red"


@dataclass(frozen=True, slots=True)
class Red:
    """A goal that derails today; `guarded` is when its feeds are to be looked at next."""

    name: str
    guarded: float | None


def red(session: Session, job: Job, now: float) -> Red | None:
    """Does the goal derail at the end of today, as far as its facts say?"""
    goal = job.goal
    user = session.get_one(User, goal.user_id)
    try:
        tz = days.zone(user.timezone or "UTC")
    except days.UnknownZoneError:
        return None  # the feed fails with that, and says so
    today = days.parse(days.day_of(now, tz, goal.deadline))
    window = days.window(today, tz, goal.deadline)
    empty = goal.safebuf is not None and goal.safebuf <= 0
    if not empty and not guard.is_red(window, losedate=goal.losedate):
        return None
    instants = [instant for instant in guard.instants(window.ends_at) if instant > now]
    return Red(f"{user.username}/{goal.slug}", min(instants, default=None))


def too_late(rt: Runtime, job: Job, due_at: float, now: float) -> bool:
    """Will the callback that met the first failure have had its 503 before the next try?

    The first, not the latest one: Beeminder calls more often the nearer the deadline is.
    """
    since = now if job.feed.failing_since is None else job.feed.failing_since
    return due_at - since >= rt.options.hold_seconds


def tell(session: Session, job: Job, found: Red, why: str, now: float) -> bool:
    """Raise the notice; True when it is news."""
    offer = datasource.offer(job.goal, now, name=found.name)
    message = f"the goal derails today and its data is not there: {why}"
    return notices.raise_(
        session,
        user_id=job.goal.user_id,
        subject=f"feed:{job.held.feed_id}",
        kind=KIND,
        message=f"{message}. {offer}" if offer else message,
        now=now,
    )
