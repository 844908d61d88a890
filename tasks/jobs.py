"""A claimed feed with everything that decides how it is synced."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

import httpx
from pydantic import SecretStr, ValidationError
from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import aliased
from sqlmodel import Session, col
from sqlmodel import select as select_rows

from clients.errors import Permanent
from clients.gate import Gate
from db import breakers, covers, sources
from db.covers import Asker
from db.feeds import Claim, FencedError
from db.models import Feed, Goal, Source, User
from db.models_points import Day
from db.states import FeedState
from db.vault import VaultError
from tasks import bounds, days, decide, fit, identity, tokens
from tasks.corrections import Corrections, Stance
from tasks.days import Window
from tasks.decide import Rules
from tasks.gates import LedgerGate
from tasks.memory import Memory
from tasks.notebook import LedgerNotebook
from tasks.providers import (
    Authenticate,
    Connection,
    Link,
    Metric,
    MetricParams,
    Provider,
    SourceSettings,
    Tokens,
)
from tasks.runtime import Runtime, UnreadableSecretError
from tasks.tokens import SourceTokens

CORRECT = "correct it in the file and `waggle apply` it"


@dataclass(slots=True)
class Job:
    """One claimed feed. Rows are this job's own copies; `feeds` is how many its goal has.

    `provider`: that of its source. `ends`: when days end, as far as this claim has recorded it.
    """

    held: Claim
    feed: Feed
    goal: Goal
    feeds: int = 1
    provider: str = ""
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


class BadSettingsError(Permanent):
    """What is stored of a source or a feed does not fit this version."""

    default_reason = "bad_settings"


# Named once: to make a statement costs more than to ask with it, and each sync asks.
_OTHER = aliased(Feed)
_LINKED = (
    select(func.count())
    .select_from(_OTHER)
    .where(col(_OTHER.goal_id) == col(Goal.id), col(_OTHER.state) != FeedState.STOPPED)
    .correlate(Goal)
    .scalar_subquery()
)
_CLAIMED: Any = (
    select_rows(Feed, Goal, Source, User)
    .add_columns(_LINKED)
    .join(Goal, col(Goal.id) == col(Feed.goal_id))
    .join(Source, col(Source.id) == col(Feed.source_id))
    .join(User, col(User.id) == col(Source.user_id))
    .where(col(Feed.id).in_(bindparam("claimed", expanding=True)))
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
    rows = {row[0].id: row for row in session.exec(_CLAIMED, params={"claimed": feeds})}
    if not rows.keys() >= set(feeds):
        raise FencedError
    _, _, source, user, _ = rows[claims[0].feed_id]
    jobs = []
    for held in claims:
        feed, goal, _, _, linked = rows[held.feed_id]
        jobs.append(Job(held, feed, goal, linked, source.provider))
    subjects = (breakers.source(source.id or 0), breakers.link(source.user_id))
    troubled = frozenset(breakers.troubled(session, subjects))
    return Batch(source, user, jobs, troubled, tuple(covers.askers(session, feeds)))


def provider_of(rt: Runtime, source: Source) -> Provider:
    """The provider that a source names."""
    found = rt.providers.get(source.provider)
    if found is None:
        message = (
            f"no provider {source.provider!r} is installed: install the package that brings it, or "
            "choose another one in the file"
        )
        raise BadSettingsError(message)
    return found


def metric_of(provider: Provider, feed: Feed) -> tuple[Metric, MetricParams]:
    """The metric that a feed names, and its parameters."""
    metric = provider.metrics.get(feed.metric)
    if metric is None:
        message = (
            f"{provider.title} has no metric {feed.metric!r}; `waggle metrics` lists what it has"
        )
        raise BadSettingsError(message)
    try:
        return metric, metric.params.model_validate(feed.params)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        message = f"parameter {where or '(all)'} of {feed.metric}: {first['msg']}; {CORRECT}"
        raise BadSettingsError(message) from None


def settings_of(rt: Runtime, provider: Provider, source: Source) -> SourceSettings:
    """The settings of a source, with its secrets."""
    try:
        secrets = sources.credentials(source, rt.vault)
    except VaultError as error:
        raise UnreadableSecretError(str(error)) from None
    stored: dict[str, Any] = {**source.settings, **secrets}
    try:
        return provider.settings.model_validate(stored)
    except ValidationError as error:
        # The input is left out of the text: it may be a secret.
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        message = f"setting {where or '(all)'} of source {source.name}: {first['msg']}; {CORRECT}"
        raise BadSettingsError(message) from None


def connect(rt: Runtime, source: Source) -> Connection:
    """The reader of a source, made once per process and again when its credentials change."""
    key = _known_by(source)
    with rt.lock:
        known = rt.connections.get(key)
    if known is not None:
        return known
    provider = provider_of(rt, source)
    settings = settings_of(rt, provider, source)
    remedy = login_remedy(provider, settings, source)
    link = link_to(
        rt,
        source,
        settings,
        lend=lambda authenticate: SourceTokens(
            rt, source.id or 0, authenticate, provider=source.provider, remedy=remedy
        ),
    )
    try:
        made = provider.connect(link)
    except ValueError:  # the text is left out: it may quote a secret
        message = (
            f"source {source.name} can't be connected as it is set, its url perhaps; {CORRECT}"
        )
        raise BadSettingsError(message) from None
    counted_by = settings.quotas()[0].key(source.provider)
    if source.quota_key != counted_by:
        with rt.ledger.write() as session:
            sources.counted_by(session, source.id or 0, counted_by)
    with rt.lock:
        for other in [other for other in rt.connections if other[0] == key[0]]:
            del rt.connections[other]  # its credentials are the old ones
        rt.connections[key] = made
    return made


def account_of(rt: Runtime, source: Source) -> str:
    """Whose data a source's are. Its secrets, which may say it, are opened once per process."""
    key = _known_by(source)
    with rt.lock:
        known = rt.accounts.get(key)
    if known is None:
        known = settings_of(rt, provider_of(rt, source), source).account()
        with rt.lock:
            for other in [other for other in rt.accounts if other[0] == key[0]]:
                del rt.accounts[other]
            rt.accounts[key] = known
    return known


def _known_by(source: Source) -> tuple[int, str]:
    """What a source is remembered by: another one when its credentials or settings change."""
    made_of = (
        source.provider,
        source.credentials_cipher,
        source.public_only,
        sorted(source.settings.items()),
    )
    return source.id or 0, f"{made_of}"


def login_remedy(provider: Provider, settings: SourceSettings, source: Source) -> str:
    """What a person does whose login at this source is refused."""
    if provider.code_flow is None or not provider.code_flow.offered(settings):
        return tokens.REMEDY
    where = linked_at(provider, source)
    return f"sign in to the pages (`waggle login`) and open {where} there to link it"


def linked_at(provider: Provider, source: Source) -> str:
    """The path where the owner links a source by the code flow."""
    return f"/{provider.name}/connect/{source.name}"


def link_to(
    rt: Runtime,
    source: Source,
    settings: SourceSettings,
    *,
    lend: Callable[[Authenticate], Tokens],
) -> Link:
    """What the provider of a source gets to connect with."""
    return Link(
        settings=settings,
        http=http_of(rt, source),
        gate=gate_of(rt, source, settings),
        tokens=lend,
        now=rt.clock.now,
        notebook=LedgerNotebook(
            rt.ledger,
            rt.clock,
            source_id=source.id or 0,
            account=settings.account(),
            made_of=_known_by(source)[1],
        ),
    )


def http_of(rt: Runtime, source: Source) -> httpx.Client:
    """The client for what a source's settings name, which a stranger may have typed."""
    usual = rt.sources_http or rt.http
    return (rt.public_http or usual) if source.public_only else usual


def gate_of(rt: Runtime, source: Source, settings: SourceSettings) -> Gate:
    """The gate that every request to this source goes through."""
    return LedgerGate(
        rt,
        source.provider,
        settings.quotas(),
        where=f"source {source.name}",
        secrets=tuple(
            value.get_secret_value() for _, value in settings if isinstance(value, SecretStr)
        ),
    )


def rules_of(rt: Runtime, batch: Batch, job: Job, metric: Metric, params: MetricParams) -> Rules:
    """What decides about this feed's points. Raises `UnfitGoalError`."""
    provider = provider_of(rt, batch.source)
    account = account_of(rt, batch.source)
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
        raise BadSettingsError(str(error)) from None


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
