"""Making the feed that a person has put together on pages, and Waggle its goal's data source.

It may be done again from the start by whoever comes to it: a feed that is there already is the
feed that was wanted.
"""

from collections.abc import Mapping
from typing import Any

from sqlmodel import Session, col, select

import clients
from clients.errors import NotFound, Permanent
from db import errands, feeds, people
from db.errands import Held
from db.feeds import FencedError
from db.models import Feed, Goal, Source, User
from db.names import feed_name
from db.names_of_feeds import Named
from db.states import FeedState
from tasks import connecting, declare, fit, fortnight, identity, linking
from tasks.beeminder import Access
from tasks.declare_people import Fresh
from tasks.declared import DeclaredFeed
from tasks.providers import MetricParams
from tasks.runtime import Runtime


class NotLinkedError(Permanent):
    """What was to be linked can't be; the text says why and what to do."""

    default_reason = "not_linked"


def from_json(user: User, source: Source, given: Mapping[str, Any]) -> DeclaredFeed:
    """The feed that an errand is about (see `tasks.forms.feed`)."""
    return DeclaredFeed(
        username=user.username,
        slug=given["goal"],
        label=given["label"],
        source=source.name,
        metric=given["metric"],
        params=given["params"],
        options=given["options"],
        since=given["since"],
        every=given["every"],
    )


def make(rt: Runtime, held: Held) -> dict[str, Any]:
    """Make the feed of this errand, and Waggle its goal's data source where an app is registered.

    Raises the tree of `clients.errors`, `DeferredError`, and `FencedError` where somebody else has
    come to the errand meanwhile.
    """
    errand = held.errand
    with rt.ledger.read() as session:
        user = session.get_one(User, errand.user_id)
        source = session.get_one(Source, errand.source_id)
    draft = from_json(user, source, errand.params)
    params = _params(rt, source, draft)
    access = Access(rt, user.id or 0)
    try:
        seen = access.call(lambda client: client.goal(draft.slug), deadline=linking.CALL_SECONDS)
    except NotFound:
        message = f"there is no goal {draft.slug!r} at Beeminder any more: choose another one"
        raise NotLinkedError(message) from None
    with rt.ledger.read() as session:
        _check(rt, session, user, source, draft, params, seen)
    with rt.ledger.write() as session:
        if not errands.mine(session, held):
            raise FencedError
        feed_id, new = _store(session, draft, user, source, seen, rt.clock.now())
    rt.step("errand.linked")
    with rt.ledger.read() as session:
        found = _of_goal(session, feed_id)
    looked = linking.look(rt, access, linking.linkable(found))
    done = linking.settle(rt, looked, may_take=bool(errand.params.get("take", True)))
    rt.ring("sync", "default")
    with rt.ledger.read() as session:
        goal = session.get_one(Goal, looked.goal_id)
    return {
        "feed": feed_name(user.username, goal.slug, draft.label),
        "goal_id": goal.id,
        "feed_id": feed_id,
        "new": new,
        "before": seen.autodata,
        "now": goal.autodata,
        "said": done.said,
        "failed": done.failed,
    }


def _params(rt: Runtime, source: Source, draft: DeclaredFeed) -> MetricParams:
    feed = Feed(goal_id=0, source_id=0, metric=draft.metric, params=draft.params)
    return connecting.metric_of(connecting.provider_of(rt, source), feed)[1]


def _check(
    rt: Runtime,
    session: Session,
    user: User,
    source: Source,
    draft: DeclaredFeed,
    params: MetricParams,
    seen: clients.Goal,
) -> None:
    """Refuse what would count twice, or as something else."""
    row = _goal(session, user, seen)
    beside = [] if row is None else _running(session, row)
    provider = connecting.provider_of(rt, source)
    digest = _digest(rt, source, seen, draft.metric, params)
    for feed, other in beside:
        if feed.label == draft.label:
            if (feed.source_id, feed.metric, feed.params) == (
                source.id, draft.metric, draft.params,
            ):  # fmt: skip
                continue  # it is what was wanted
            message = (
                f"{feed_name(user.username, seen.slug, feed.label)} is fed by {other.name} "
                f"({feed.metric}) already: unlink that first, or give this one a label of its own"
            )
            raise NotLinkedError(message)
        _, its = connecting.metric_of(connecting.provider_of(rt, other), feed)
        if digest == _digest(rt, other, seen, feed.metric, its):
            message = (
                f"{feed_name(user.username, seen.slug, feed.label)} counts the same already: the "
                f"goal would get everything of {provider.title} twice"
            )
            raise NotLinkedError(message)
    found = fit.fit(
        kind=params.value_kind(),
        kyoom=seen.kyoom,
        aggday=seen.aggday,
        odom=seen.odom,
        feeds=len([feed for feed, _ in beside if feed.label != draft.label]) + 1,
        accept=draft.options.get("accept_aggday", False),
        name=f"{user.username}/{seen.slug}",
    )
    if found.problem is not None:
        raise NotLinkedError(found.problem)


def _digest(
    rt: Runtime, source: Source, seen: clients.Goal, metric: str, params: MetricParams
) -> str:
    provider = connecting.provider_of(rt, source)
    return identity.digest(
        goal_id=seen.id,
        provider=provider.name,
        account=connecting.settings_of(rt, provider, source).account(),
        metric=metric,
        counting=params.counting(),
    )


def _running(session: Session, goal: Goal) -> list[tuple[Feed, Source]]:
    rows = session.exec(
        select(Feed, Source)
        .join(Source, col(Feed.source_id) == col(Source.id))
        .where(col(Feed.goal_id) == goal.id, col(Feed.state) != FeedState.STOPPED)
        .order_by(col(Feed.label))
    )
    return list(rows.all())


def _goal(session: Session, user: User, seen: clients.Goal) -> Goal | None:
    """The row of this goal; one that is called so and is another one by now is not it."""
    by_id = session.exec(
        select(Goal).where(col(Goal.user_id) == user.id, col(Goal.beeminder_id) == seen.id)
    ).first()
    if by_id is not None:
        return by_id
    named = fortnight.goal_named(session, user.id or 0, seen.slug)
    if named is not None and named.beeminder_id not in (None, seen.id):
        message = (
            f"{seen.slug} is the name of another goal by now, which the next sync finds: try again "
            "in a few minutes"
        )
        raise NotLinkedError(message)
    return named


def _store(
    session: Session,
    draft: DeclaredFeed,
    user: User,
    source: Source,
    seen: clients.Goal,
    now: float,
) -> tuple[int, bool]:
    """(the feed's id, whether anything was changed for it)."""
    goal = _goal(session, user, seen)
    if goal is None:
        goal = Goal(user_id=user.id or 0, slug=seen.slug, declared_slug=seen.slug, created_at=now)
        session.add(goal)
        session.flush()
    feeds.lock(session, col(Feed.goal_id) == goal.id)
    feed_id, changed, new = declare.feed(
        session, draft, goal=goal, user=user, source=source, fresh=Fresh(), now=now
    )
    people.store_goal_facts(session, goal.id or 0, {"beeminder_id": seen.id, "facts_at": None})
    return feed_id, new or "state" in changed


def _of_goal(session: Session, feed_id: int) -> list[Named]:
    goal_id = session.get_one(Feed, feed_id).goal_id
    return of_goal(session, goal_id)


def of_goal(session: Session, goal_id: int, label: str | None = None) -> list[Named]:
    """The feeds of a goal; with a `label` that one only."""
    rows = session.exec(
        select(Feed, Goal, User)
        .join(Goal, col(Feed.goal_id) == col(Goal.id))
        .join(User, col(Goal.user_id) == col(User.id))
        .where(col(Goal.id) == goal_id)
        .order_by(col(Feed.label))
    )
    return [Named(feed, goal, user) for feed, goal, user in rows if label in (None, feed.label)]
