"""The last 14 days of a feed, or of a draft of one: what would be sent, and what is there.

For the page on which a person decides whether to link a goal. Nothing is written but facts of the
goal that were out of date.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import func
from sqlmodel import Session, col, select

import clients
from db import datasources, feeds
from db.models import Feed, Goal, Source, User
from db.states import FeedState, Lane
from tasks import connecting, datasource, days, fit, holdings, jobs, memory, preview
from tasks.beeminder import Access
from tasks.declared import DeclaredFeed
from tasks.fit import Fit
from tasks.jobs import Batch, Job
from tasks.mend import AGGREGATES
from tasks.preview import Planned, RestingError
from tasks.runtime import Runtime

DAYS = 14
DRAFT = 0  # the id of a feed that is not there


@dataclass(frozen=True, slots=True)
class There:
    """What a day has at Beeminder: the value that the goal makes of it, and whose points."""

    value: float | None
    ours: int
    others: int


def of_feed(rt: Runtime, feed_id: int) -> dict[str, Any]:
    """The days of a feed that is linked. Raises the tree of `clients.errors`, `DeferredError`."""
    with rt.ledger.read() as session:
        feed = session.get_one(Feed, feed_id)
        # A claim that was never made: it only names the feed, nothing is written with it.
        named = feeds.Claim(feed_id, feed.source_id, feed.epoch, feed.asked, "preview", Lane.URGENT)
        batch = jobs.load(session, [named])
    return _told(rt, batch)


def of_draft(rt: Runtime, source_id: int, draft: DeclaredFeed) -> dict[str, Any]:
    """The same of a feed that nobody has made yet."""
    with rt.ledger.read() as session:
        source = session.get_one(Source, source_id)
        user = session.get_one(User, source.user_id)
        goal = goal_named(session, source.user_id, draft.slug)
        others = 0 if goal is None else _others(session, goal, draft.label)
    feed = Feed(
        id=DRAFT,
        goal_id=0 if goal is None else goal.id or 0,
        source_id=source_id,
        label=draft.label,
        metric=draft.metric,
        params=draft.params,
        options=draft.options,
        since=draft.since,
        every=draft.every,
        cursor={},
    )
    if goal is None:
        goal = Goal(user_id=source.user_id, slug=draft.slug, declared_slug=draft.slug)
    held = feeds.Claim(DRAFT, source_id, 0, 0, "preview", Lane.URGENT)
    return _told(rt, Batch(source, user, [Job(held, feed, goal, others + 1)]))


def goal_named(session: Session, user_id: int, slug: str) -> Goal | None:
    """The goal of this person that is called so now."""
    return session.exec(
        select(Goal).where(col(Goal.user_id) == user_id, col(Goal.slug) == slug)
    ).first()


def _others(session: Session, goal: Goal, label: str) -> int:
    return session.exec(
        select(func.count())
        .select_from(Feed)
        .where(
            col(Feed.goal_id) == goal.id,
            col(Feed.label) != label,
            col(Feed.state) != FeedState.STOPPED,
        )
    ).one()


def _told(rt: Runtime, batch: Batch) -> dict[str, Any]:
    (job,) = batch.jobs
    access = Access(rt, batch.user.id or 0)
    rests = None
    try:
        preview.know(rt, access, batch)
    except RestingError as error:
        rests = str(error)
    now, tz = rt.clock.now(), jobs.zone_of(batch)
    last = days.day_of(now, tz, job.goal.deadline)
    first = days.stamp(days.parse(last) - timedelta(days=DAYS - 1))
    there = _there(job.goal, holdings.all_points(access, job.goal.slug, since=first), first)
    found = _fit(rt, batch, job, None)
    planned: Sequence[Planned] = []
    if found.problem is None and rests is None:
        # What goes on from the days before it begins where the feed does.
        began = max(first, job.feed.since or first) if found.shape.builds else first
        planned = preview.plan(rt, access, batch, first=began, last=last)
    unit = next((plan.verdict.reading.unit for plan in planned if plan.verdict.reading.unit), None)
    sent = _sent_next(rt, batch, job, planned, last)
    problem = found.problem or rests
    return {
        "goal": as_json(job.goal),
        "kind": _params(rt, batch, job).value_kind(),
        "unit": unit,
        "shape": found.shape.value,
        "problem": problem,
        "unfit": found.problem is not None,
        "warnings": [
            *_fit(rt, batch, job, unit).warnings,
            *_beside(job, planned, there, sent),
        ],
        "datasource": _datasource(rt, job),
        "zone": batch.user.timezone or "UTC",
        "feeds": job.feeds,
        "days": _days(planned, there, sent, first, last, job.feed.since),
    }


def as_json(goal: Goal | clients.Goal) -> dict[str, Any]:
    """What a page tells of a goal."""
    return {
        "slug": goal.slug,
        "title": None if isinstance(goal, Goal) else goal.title,
        "yaw": goal.yaw,
        "kyoom": goal.kyoom,
        "aggday": goal.aggday,
        "odom": goal.odom,
        "gunits": goal.gunits,
        "autodata": goal.autodata,
        "curval": goal.curval,
        "counts": fit.counts(kyoom=goal.kyoom, aggday=goal.aggday),
    }


def _params(rt: Runtime, batch: Batch, job: Job) -> Any:  # noqa: ANN401 -- the parameters of any metric
    return connecting.metric_of(connecting.provider_of(rt, batch.source), job.feed)[1]


def _fit(rt: Runtime, batch: Batch, job: Job, unit: str | None) -> Fit:
    return fit.fit(
        kind=_params(rt, batch, job).value_kind(),
        kyoom=job.goal.kyoom,
        aggday=job.goal.aggday,
        odom=job.goal.odom,
        feeds=job.feeds,
        accept=job.feed.options.get("accept_aggday", False),
        unit=unit,
        gunits=job.goal.gunits,
        name=f"{batch.user.username}/{job.goal.slug}",
    )


def _there(goal: Goal, points: Sequence[clients.Datapoint], first: str) -> dict[str, There]:
    """What each day has, as far as it can be told how the goal counts it."""
    counting = AGGREGATES.get(goal.aggday or "sum")
    found = {}
    real = [point for point in points if not (point.is_dummy or point.is_initial)]
    for daystamp in {point.daystamp for point in real if point.daystamp >= first}:
        of_day = sorted(
            (point for point in real if point.daystamp == daystamp),
            key=lambda point: (point.timestamp, point.id),
        )
        ours = sum(holdings.is_ours(point) for point in of_day)
        values = [point.value for point in of_day]
        found[daystamp] = There(
            None if counting is None else counting(values), ours, len(of_day) - ours
        )
    return found


def _sent_next(
    rt: Runtime, batch: Batch, job: Job, planned: Sequence[Planned], last: str
) -> frozenset[str]:
    """The days that the next sync looks at."""
    earliest = days.stamp(days.parse(last) - timedelta(days=rt.options.lookback_days))
    since = max(earliest, job.feed.since or earliest)
    if job.held.feed_id != DRAFT:
        with rt.ledger.read() as session:
            known = memory.load_days(session, job.held.feed_id, since=earliest)
        windows = jobs.windows_of(rt, batch, job, known, rt.clock.now())
        return frozenset(window.daystamp for window in windows)
    return frozenset(
        plan.verdict.day.daystamp for plan in planned if plan.verdict.day.daystamp >= since
    )


def _beside(
    job: Job,
    planned: Sequence[Planned],
    there: Mapping[str, There],
    sent: Collection[str],
) -> list[str]:
    """Days that have somebody else's points, beside which ours would come."""
    doubled = sorted(
        {
            plan.verdict.day.daystamp
            for plan in planned
            if plan.action == "create"
            and plan.verdict.day.daystamp in sent
            and there.get(plan.verdict.day.daystamp, There(None, 0, 0)).others
        }
    )
    if not doubled:
        return []
    added = "are added to" if job.goal.aggday in (None, "sum") else "count together with"
    which = ", ".join(f"{day[:4]}-{day[4:6]}-{day[6:]}" for day in doubled)
    text = (
        f"the goal has datapoints of {which} that Waggle did not write: its own {added} them. "
        "Delete those at Beeminder, or choose a later first day"
    )
    return [text]


def _datasource(rt: Runtime, job: Job) -> dict[str, Any]:
    app, now = rt.options.app_name, job.goal.autodata
    keeps = job.feed.options.get("datasource") == datasources.KEEP
    ours = bool(app) and datasource.same(now, app)
    return {
        "app": app,
        "now": datasource.shown(now),
        "ours": ours,
        "sets": bool(app) and not ours and not keeps,
        "replaces": bool(app) and not ours and not keeps and not datasource.is_free(now),
    }


def _days(
    planned: Sequence[Planned],
    there: Mapping[str, There],
    sent: Collection[str],
    first: str,
    last: str,
    since: str | None,
) -> list[dict[str, Any]]:
    """One row for each day, the oldest first; of one with several points what they come to."""
    by_day: dict[str, list[Planned]] = {}
    for plan in planned:
        by_day.setdefault(plan.verdict.day.daystamp, []).append(plan)
    rows, day = [], first
    while day <= last:
        plans = by_day.get(day, [])
        seen = there.get(day, There(None, 0, 0))
        points = [plan.point for plan in plans if plan.point is not None]
        actions = Counter(plan.action for plan in plans)
        action = actions.most_common(1)[0][0] if plans else "nothing"
        why = next((plan.why for plan in plans if plan.why), "")
        if since is not None and day < since:
            action, why = "before", f"before {since[:4]}-{since[4:6]}-{since[6:]}, its first day"
        elif day not in sent and action in ("create", "update", "hold"):
            action, why = "earlier", "earlier than the next sync looks back"
        rows.append(
            {
                "daystamp": day,
                "asked": bool(plans),
                "source": plans[0].verdict.reading.value if plans else None,
                "value": sum(point.value for point in points) if points else None,
                "points": len(points),
                "comment": points[0].comment if points else None,
                "action": action,
                "why": why,
                "there": seen.value,
                "ours": seen.ours,
                "others": seen.others,
            }
        )
        day = days.following(day)
    return rows
