"""Calling every source and Beeminder once with the stored credentials, for `waggle doctor`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx
from sqlmodel import col, select

from clients.errors import AuthFailed, ClientError, Transient
from clients.gate import ClosedError
from db import resting
from db.models import Feed, Goal, Source, User
from db.names import feed_name
from db.states import UserState
from db.vault import VaultError
from tasks import advice, connecting, days, key_ends, reaching
from tasks.beeminder import Access
from tasks.gates import DeferredError
from tasks.providers import Connection, Request
from tasks.runtime import Runtime
from worker import runtime
from worker.cli import output
from worker.settings import Settings

DEADLINE_SECONDS = 15.0
LIMIT_REMEDY = "wait; `waggle gates` shows which one"
ADDRESS_REMEDY = "is its address right, does it run?"
LOGIN_REMEDY = "correct the credentials in the file, then `waggle apply`"


@dataclass(frozen=True, slots=True)
class Case:
    """One source or one person, and how the call went; `odd`: it works, and not for long."""

    what: str
    bad: bool
    text: str
    remedy: str = ""
    odd: bool = False


def examine(settings: Settings) -> Iterator[Case]:
    """One case per source and per person, each called for real."""
    with runtime.build(settings, ring=lambda _task, _queue: False) as rt:
        with rt.ledger.read() as session:
            sources = session.exec(select(Source).order_by(col(Source.name))).all()
            users = session.exec(select(User).order_by(col(User.username))).all()
        for source in sources:
            yield _source(rt, source)
            ending = key_ends.ending(source, rt.providers, rt.clock.now())
            if ending is not None:
                what = f"source {source.name}"
                yield Case(what, bad=False, odd=True, text=ending, remedy=key_ends.REMEDY)
        for user in users:
            yield _user(rt, user)


def _source(rt: Runtime, source: Source) -> Case:
    what = f"source {source.name}"
    try:
        provider, connection = reaching.reach(rt, source)
        feeds = _feeds(rt, source)
        refused = _read(rt, source, connection, feeds)
    except (ClientError, DeferredError, VaultError, httpx.HTTPError) as exc:
        return failed(what, exc, ADDRESS_REMEDY)
    if refused:
        return _not_read(what, refused)
    said = f"{len(feeds)} read" if feeds else "no feed reads it now"
    return Case(what, bad=False, text=f"{provider.title} answers, the login works, {said}")


def _feeds(rt: Runtime, source: Source) -> Sequence[tuple[str, Feed]]:
    """The feeds that are worked on, with their names.

    What was stopped or paused may be gone from the source for good reason. What has killed a
    worker would kill this command too.
    """
    with rt.ledger.read() as session:
        rows = session.exec(
            select(Feed, Goal, User)
            .join(Goal, col(Feed.goal_id) == col(Goal.id))
            .join(User, col(Goal.user_id) == col(User.id))
            .where(
                col(Feed.source_id) == source.id,
                resting.running(),
                col(Feed.suspect).is_(False),
            )
            .order_by(col(User.username), col(Goal.slug), col(Feed.label))
        ).all()
    return [(feed_name(user.username, goal.slug, feed.label), feed) for feed, goal, user in rows]


def _read(
    rt: Runtime, source: Source, connection: Connection, feeds: Sequence[tuple[str, Feed]]
) -> list[tuple[str, ClientError | ClosedError]]:
    """Ask for the current UTC day of every feed: who got no answer, and why."""
    now = rt.clock.now()
    today = days.window(datetime.fromtimestamp(now, UTC).date(), days.zone("UTC"), 0)
    provider = connecting.provider_of(rt, source)
    names, requests = {}, []
    refused: list[tuple[str, ClientError | ClosedError]] = []
    for name, feed in feeds:
        try:
            metric, params = connecting.metric_of(provider, feed)
        except connecting.BadSettingsError as error:
            refused.append((name, error))
            continue
        key = feed.id or 0
        names[key] = name
        requests.append(Request(key=key, metric=metric.name, params=params, days=(today,), now=now))
    for key, answer in connection.read(requests).items() if requests else ():
        if isinstance(answer, AuthFailed):
            raise answer  # that is no fault of the feed
        if isinstance(answer, ClientError | ClosedError):
            refused.append((names[key], answer))
    return refused


def _not_read(what: str, refused: Sequence[tuple[str, ClientError | ClosedError]]) -> Case:
    """The source answers, but not all that its feeds ask for: the first one, and how many more."""
    faults = [(name, error) for name, error in refused if isinstance(error, ClientError)]
    limits = [error for _, error in refused if isinstance(error, ClosedError)]
    if not faults:
        return _not_asked(what, limits[0])
    name, error = faults[0]
    more = f" (and {len(faults) - 1} more of its feeds)" if len(faults) > 1 else ""
    remedy = ADDRESS_REMEDY
    if not isinstance(error, Transient):
        remedy = advice.of(error, where=what) or ""
    return Case(what, bad=True, text=f"feed {name}{more}: {error}", remedy=remedy)


def _user(rt: Runtime, user: User) -> Case:
    what = f"Beeminder {user.username}"
    if user.state == UserState.DEAUTHORIZED:
        return Case(what, bad=False, text="has taken our access away; nothing is sent")
    try:
        told = Access(rt, user.id or 0).call(lambda client: client.me(), deadline=DEADLINE_SECONDS)
    except (ClientError, DeferredError, VaultError) as exc:
        return failed(what, exc, "is WAGGLE_BEEMINDER_URL right?")
    if told.username.lower() != user.username.lower():
        text = f"the token is {told.username}'s"
        return Case(what, bad=True, text=text, remedy="give each person their own token")
    return Case(what, bad=False, text="answers, the token works")


def failed(what: str, exc: Exception, remedy: str) -> Case:
    """What went wrong with a call; a limit that keeps us from asking is no failure."""
    if isinstance(exc, DeferredError):
        return _not_asked(what, exc)
    if isinstance(exc, AuthFailed):  # one whose login is kept says itself what to do
        remedy = "" if advice.COMMAND in str(exc) else LOGIN_REMEDY
    if isinstance(exc, VaultError | connecting.BadSettingsError):
        remedy = ""  # they say themselves what to do
    return Case(what, bad=True, text=str(exc), remedy=remedy)


def _not_asked(what: str, exc: ClosedError) -> Case:
    """A gate let nothing through: we keep to limits here too."""
    until = ""
    if isinstance(exc, DeferredError):
        until = f" before {output.opening(exc.until)}"
    text = f"not asked{until} because of a limit"
    return Case(what, bad=False, odd=True, text=text, remedy=LIMIT_REMEDY)
