"""A claimed feed with everything that decides how it is synced."""

import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from clients.errors import Permanent
from db import breakers, covers, notices
from db.covers import Asker
from db.feeds import Claim, FencedError
from db.models import Feed, Goal, Source, User
from db.models_points import Day
from db.one_or_many import OneOrMany
from db.own_rows import OwnRows
from db.states import FeedState
from tasks import bounds, connecting, days, decide, fit, identity
from tasks.corrections import Corrections, Stance
from tasks.days import Window
from tasks.decide import Rules
from tasks.memory import Memory
from tasks.providers import (
    Metric,
    MetricParams,
)
from tasks.runtime import Runtime


@dataclass(slots=True)
class Job:
    """One claimed feed. Rows are this job's own copies; `feeds` is how many its goal has.

    `provider`: that of its source. `noted`: was anything about it told and not taken back when it
    was claimed? `ends`: when days end, as far as this claim has recorded it.
    """

    held: Claim
    feed: Feed
    goal: Goal
    feeds: int = 1
    provider: str = ""
    noted: bool = True
    ends: dict[str, float] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """How people call it."""
        return f"{self.goal.slug}:{self.feed.label}" if self.feed.label else self.goal.slug


@dataclass(slots=True)
class Batch:
    """The claimed feeds of one source: its owner, and one job each.

    `troubled`: which of the two, the source and the owner's link, are in trouble (`db.breakers`).
    `askers`: the callbacks that these claims answer.
    """

    source: Source
    user: User
    jobs: list[Job]
    troubled: frozenset[str] = frozenset()
    askers: tuple[Asker, ...] = ()


class UnfitGoalError(Permanent):
    """The goal would count what we send as something else."""

    default_reason = "unfit_goal"


# Named once: to make a statement costs more than to ask with it, and each sync asks.
_OTHER = aliased(Feed)
_LINKED = (
    select(func.count())
    .select_from(_OTHER)
    .where(col(_OTHER.goal_id) == col(Goal.id), col(_OTHER.state) != FeedState.STOPPED)
    .correlate(Goal)
    .scalar_subquery()
)
_ROWS = OwnRows(Feed, Goal, Source, User)
_CLAIMED = OneOrMany(
    lambda among: (
        select(
            *_ROWS.columns,
            _LINKED,
            notices.about_feed(),
            breakers.source_troubled(),
            breakers.link_troubled(),
        )
        .select_from(Feed)
        .join(Goal, col(Goal.id) == col(Feed.goal_id))
        .join(Source, col(Source.id) == col(Feed.source_id))
        .join(User, col(User.id) == col(Source.user_id))
        .where(among(col(Feed.id)))
    )
)
_READ = select(col(Day.daystamp), col(Day.ends_at)).where(
    col(Day.feed_id) == bindparam("of_feed"),
    col(Day.daystamp).in_(bindparam("stamps", expanding=True)),
)


def load(session: Session, claims: Sequence[Claim]) -> Batch:
    """Read what the claims are about, however many they are. All of them are of one source.

    Raises `FencedError` where one of them is gone: its person has left since it was claimed.
    """
    feeds = [held.feed_id for held in claims]
    found = [tuple(_ROWS.made(row)) for row in _CLAIMED.ask(session, feeds)]
    rows = {row[0].id: row for row in found}
    if not rows.keys() >= set(feeds):
        raise FencedError
    _, _, source, user, _, _, *in_trouble = rows[claims[0].feed_id]
    jobs: list[Job] = []
    goals: dict[int | None, Goal] = {}
    for held in claims:
        feed, goal, _, _, linked, noted, *_ = rows[held.feed_id]
        goal = goals.setdefault(goal.id, goal)  # what is learned of it is learned for all its feeds
        jobs.append(Job(held, feed, goal, linked, source.provider, noted))
    subjects = (breakers.source(source.id or 0), breakers.link(source.user_id))
    troubled = frozenset(itertools.compress(subjects, in_trouble))
    return Batch(source, user, jobs, troubled, _askers(claims))


def _askers(claims: Sequence[Claim]) -> tuple[Asker, ...]:
    """What waits for any of them, the oldest first: those of a goal have the same callbacks."""
    each = {asker.event_id: asker for held in claims for asker in held.askers}
    return tuple(each[event_id] for event_id in sorted(each)[: covers.MOST_ASKERS])


def rules_of(rt: Runtime, batch: Batch, job: Job, metric: Metric, params: MetricParams) -> Rules:
    """What decides about this feed's points. Raises `UnfitGoalError`."""
    provider = connecting.provider_of(rt, batch.source)
    account = connecting.account_of(rt, batch.source)
    options = job.feed.options
    return Rules(
        digest=identity.digest(
            goal_id=job.goal.beeminder_id or "",
            provider=provider.name,
            account=account,
            metric=metric.name,
            counting=params.counting(),
        ),
        kind=params.value_kind(),
        history=metric.history,
        shape=_shape_of(batch, job, params),
        source=batch.source.name,
        goal=job.goal.slug,
        metric=metric.name,
        comment=options.get("comment") or decide.DEFAULT_COMMENT,
        zeros=options.get("zeros", True),
        odom=bool(job.goal.odom),
        yaw=job.goal.yaw,
    )


def _shape_of(batch: Batch, job: Job, params: MetricParams) -> fit.Shape:
    found = fit.fit(
        kind=params.value_kind(),
        kyoom=job.goal.kyoom,
        aggday=job.goal.aggday,
        odom=job.goal.odom,
        feeds=job.feeds,
        accept=job.feed.options.get("accept_aggday", False),
        name=f"{batch.user.username}/{job.goal.slug}",
    )
    if found.problem is not None:
        raise UnfitGoalError(found.problem)
    return found.shape


def stance_of(rt: Runtime, job: Job, rules: Rules) -> Stance:
    """What this feed's owner lets us change of days that are over."""
    options = job.feed.options
    return Stance(
        corrections=Corrections(options.get("corrections") or rt.options.corrections),
        yaw=job.goal.yaw,
        grows=rules.kind != "level",
        on_edit_source=options.get("on_edit") == "source",
    )


def zone_of(batch: Batch) -> ZoneInfo:
    """The person's time zone."""
    try:
        return days.zone(batch.user.timezone or "UTC")
    except days.UnknownZoneError as error:
        raise connecting.BadSettingsError(str(error)) from None


def windows_of(
    rt: Runtime, batch: Batch, job: Job, memory: Memory, now: float
) -> tuple[Window, ...]:
    """The days that a sync reads, with the bounds that finished ones had."""
    return bounds.days_to_read(
        now,
        tz=zone_of(batch),
        deadline=job.goal.deadline,
        lookback=rt.options.lookback_days,
        since=job.feed.since,
        known=memory.bounds(),
    )


def over(rt: Runtime, batch: Batch, job: Job, daystamps: Collection[str]) -> set[str]:
    """Those of these days that have ended, by the bounds they had when they were read.

    The ledger is not asked for what this claim has recorded as a day that goes on.
    """
    now = rt.clock.now()
    unsure = [stamp for stamp in daystamps if job.ends.get(stamp, now) <= now]
    if not unsure:
        return set()
    with rt.ledger.read() as session:
        asked = {"of_feed": job.held.feed_id, "stamps": unsure}
        ends = {row.daystamp: row.ends_at for row in session.connection().execute(_READ, asked)}
    today = days.day_of(now, zone_of(batch), job.goal.deadline)
    return {stamp for stamp in unsure if (ends[stamp] <= now if stamp in ends else stamp < today)}
