"""Feeds as pages show them: in pages, those that need somebody first, or those of one goal.

Whether a feed needs somebody is decided here, in one expression, so that the order, the filter and
the figures on top of the list never disagree.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    String,
    and_,
    case,
    cast,
    exists,
    func,
    or_,
    select,
    true,
)
from sqlmodel import Session, col

from db import inbox, names, needs, resting, waits
from db.models import Event, Feed, Goal, Notice, Source, User
from db.models_points import Datapoint, Day
from db.states import (
    DatapointState,
    EventKind,
    FeedState,
    SourceState,
    UserState,
)
from db.waits import Wait


class Group(StrEnum):
    """What the list can be filtered by."""

    ATTENTION = "attention"
    IN_STEP = "in_step"
    PAUSED = "paused"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Call:
    """The last time that Beeminder asked for data of a goal. Times are UTC seconds."""

    received_at: float
    finished_at: float | None
    state: str

    @property
    def waited(self) -> float | None:
        """Seconds until it was answered with fresh data, or not; None while that goes on."""
        return None if self.finished_at is None else self.finished_at - self.received_at


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownFeed:
    """A feed with what it last did, and the limit that it waits for. Times are UTC seconds."""

    id: int
    goal_id: int
    user_id: int
    source_id: int
    username: str
    slug: str
    label: str
    timezone: str | None
    deadline: int
    yaw: int | None
    gunits: str | None
    source: str
    provider: str
    source_state: str
    user_state: str
    metric: str
    params: dict[str, Any]
    shape: str | None
    since: str | None
    state: str
    reason: str | None
    group: str
    last_error: str | None
    failing_since: float | None
    last_synced_at: float | None
    due_at: float
    at_work: bool
    pending: int = 0
    held: int = 0
    value: float | None = None
    daystamp: str | None = None
    wait: Wait | None = None
    call: Call | None = None

    @property
    def next_at(self) -> float | None:
        """When it is looked at next, not before a limit lets it; None: it is not."""
        if not resting.is_claimable(self.state, self.reason):
            return None
        return self.due_at if self.wait is None else max(self.due_at, self.wait.until)

    @property
    def name(self) -> str:
        """What commands call it."""
        return names.feed_name(self.username, self.slug, self.label)

    @property
    def goal(self) -> str:
        """The name of its goal."""
        return names.feed_name(self.username, self.slug, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which feeds: of whom (None: of everybody), with what in their name, in which group."""

    user_id: int | None
    words: str = ""
    group: Group | None = None


def counts(session: Session, user_id: int | None) -> dict[Group, int]:
    """How many feeds of this person (None: of everybody) are in each group, zeros included."""
    groups = _joined(select(_group().label("group"))).where(_of(user_id)).subquery()
    rows = session.connection().execute(
        select(groups.c.group, func.count()).group_by(groups.c.group)
    )
    found = {Group(group): count for group, count in rows}
    return {group: found.get(group, 0) for group in Group}


def page(
    session: Session, now: float, wanted: Wanted, *, limit: int, offset: int = 0
) -> list[ShownFeed]:
    """Feeds by name, those that need somebody first."""
    group = _group()
    asked = (
        _feeds(group)
        .where(_of(wanted.user_id))
        .order_by(case((group == Group.ATTENTION.value, 0), else_=1), *_BY_NAME)
        .limit(limit)
        .offset(offset)
    )
    if wanted.words:
        asked = asked.where(func.lower(_name()).contains(wanted.words.lower(), autoescape=True))
    if wanted.group is not None:
        asked = asked.where(group == wanted.group.value)
    return _filled(session, now, asked)


def of_goal(
    session: Session,
    now: float,
    *,
    user_id: int | None,
    username: str,
    slug: str,
    label: str | None = None,
) -> list[ShownFeed]:
    """The feeds of one goal by label, or (`label` given) the one of that name."""
    asked = _feeds(_group()).where(
        _of(user_id),
        func.lower(col(User.username)) == username.lower(),
        col(Goal.slug) == slug.lower(),
        true() if label is None else col(Feed.label) == label,
    )
    return _filled(session, now, asked.order_by(*_BY_NAME))


def limits(feeds: Sequence[ShownFeed]) -> list[tuple[Wait, int]]:
    """Which gates these feeds wait for, the first to open first, and how many wait for each."""
    found = Counter(feed.wait for feed in feeds if feed.wait is not None)
    return sorted(found.items(), key=lambda item: (item[0].until, item[0].gate))


def values(
    session: Session, feed_ids: Collection[int], *, first: str
) -> dict[int, dict[str, float | None]]:
    """What the sources said of the days from `first` (YYYYMMDD) on, by feed and day."""
    rows = session.connection().execute(
        select(col(Day.feed_id), col(Day.daystamp), col(Day.value)).where(
            col(Day.feed_id).in_(feed_ids), col(Day.daystamp) >= first
        )
    )
    found: dict[int, dict[str, float | None]] = {}
    for feed_id, daystamp, value in rows:
        found.setdefault(feed_id, {})[daystamp] = value
    return found


_BY_NAME = (col(User.username), col(Goal.slug), col(Feed.label))


def _of(user_id: int | None) -> ColumnElement[bool]:
    return true() if user_id is None else col(User.id) == user_id


def _name() -> ColumnElement[str]:
    label = case((col(Feed.label) == "", ""), else_=":" + col(Feed.label))
    return col(User.username) + "/" + col(Goal.slug) + label


def _group() -> ColumnElement[str]:
    is_held = exists().where(
        col(Datapoint.feed_id) == col(Feed.id), col(Datapoint.state) == DatapointState.HELD
    )
    is_red = exists().where(
        col(Notice.subject) == "feed:" + cast(col(Feed.id), String),
        col(Notice.kind) == needs.RED,
        col(Notice.cleared_at).is_(None),
    )
    signed_out = or_(
        col(Source.state) == SourceState.REAUTHORIZE, col(User.state) == UserState.REAUTHORIZE
    )
    needy = or_(
        col(Feed.state) == FeedState.FAILING,
        and_(col(Feed.state) == FeedState.ACTIVE, or_(signed_out, is_red)),
        and_(col(Feed.state) != FeedState.STOPPED, is_held),
    )
    return case(
        (needy, Group.ATTENTION.value),
        (col(Feed.state) == FeedState.STOPPED, Group.STOPPED.value),
        (col(Feed.state) == FeedState.PAUSED, Group.PAUSED.value),
        else_=Group.IN_STEP.value,
    )


def _joined(asked: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    return (
        asked.select_from(Feed)
        .join(Goal, col(Goal.id) == col(Feed.goal_id))
        .join(User, col(User.id) == col(Goal.user_id))
        .join(Source, col(Source.id) == col(Feed.source_id))
    )


def _feeds(group: ColumnElement[str]) -> Select[*tuple[Any, ...]]:
    return _joined(
        select(
            col(Feed.id),
            col(Feed.goal_id),
            col(Goal.user_id),
            col(Feed.source_id),
            col(User.username),
            col(Goal.slug),
            col(Feed.label),
            col(User.timezone),
            col(Goal.deadline),
            col(Goal.yaw),
            col(Goal.gunits),
            col(Source.name).label("source"),
            col(Source.provider),
            col(Source.state).label("source_state"),
            col(User.state).label("user_state"),
            col(Feed.metric),
            col(Feed.params),
            col(Feed.cursor)["shape"].as_string().label("shape"),
            col(Feed.since),
            col(Feed.state),
            col(Feed.reason),
            group.label("group"),
            col(Feed.last_error),
            col(Feed.failing_since),
            col(Feed.last_synced_at),
            col(Feed.due_at),
            col(Feed.lease_owner).is_not(None).label("at_work"),
        )
    )


def _filled(session: Session, now: float, asked: Select[*tuple[Any, ...]]) -> list[ShownFeed]:
    rows = session.connection().execute(asked).mappings().all()
    ids = [row["id"] for row in rows]
    waiting, last = _waiting(session, ids), _last_values(session, ids)
    limited = waits.of_feeds(session, now, ids)
    calls = _calls(session, {row["goal_id"] for row in rows})
    return [
        ShownFeed(
            **row,
            pending=waiting.get((row["id"], DatapointState.PENDING), 0),
            held=waiting.get((row["id"], DatapointState.HELD), 0),
            value=last.get(row["id"], (None, None))[0],
            daystamp=last.get(row["id"], (None, None))[1],
            wait=limited.get(row["id"]),
            call=calls.get(row["goal_id"]),
        )
        for row in rows
    ]


def _waiting(session: Session, feed_ids: Collection[int]) -> dict[tuple[int, str], int]:
    rows = session.connection().execute(
        select(col(Datapoint.feed_id), col(Datapoint.state), func.count())
        .where(
            col(Datapoint.feed_id).in_(feed_ids),
            col(Datapoint.state).in_((DatapointState.PENDING, DatapointState.HELD)),
        )
        .group_by(col(Datapoint.feed_id), col(Datapoint.state))
    )
    return {(feed_id, state): count for feed_id, state, count in rows}


def _last_values(
    session: Session, feed_ids: Collection[int]
) -> dict[int, tuple[float, str | None]]:
    """What landed last of each feed: looked up from its newest day on, not sorted out of years."""
    newest = (
        select(col(Datapoint.id))
        .where(
            col(Datapoint.feed_id) == col(Feed.id),
            col(Datapoint.daystamp).is_not(None),
            col(Datapoint.state) == DatapointState.LANDED,
        )
        .order_by(col(Datapoint.daystamp).desc(), col(Datapoint.id).desc())
        .limit(1)
        .correlate(Feed)
        .scalar_subquery()
    )
    wanted = (
        select(col(Feed.id).label("feed_id"), newest.label("newest"))
        .where(col(Feed.id).in_(feed_ids))
        .subquery()
    )
    rows = session.connection().execute(
        select(wanted.c.feed_id, col(Datapoint.value), col(Datapoint.daystamp)).join(
            Datapoint, col(Datapoint.id) == wanted.c.newest
        )
    )
    return {feed_id: (value, daystamp) for feed_id, value, daystamp in rows}


def _calls(session: Session, goal_ids: Collection[int]) -> dict[int, Call]:
    # The kind is no way to look for it: SQLite would go through all that there are of it.
    fits = col(Event.kind).concat("") == EventKind.AUTOFETCH
    newest = inbox.latest(col(Event.goal_id), col(Goal.id), fits).correlate(Goal)
    wanted = (
        select(col(Goal.id).label("goal_id"), newest.label("newest"))
        .where(col(Goal.id).in_(goal_ids))
        .subquery()
    )
    rows = session.connection().execute(
        select(
            wanted.c.goal_id, col(Event.received_at), col(Event.finished_at), col(Event.state)
        ).join(Event, col(Event.id) == wanted.c.newest)
    )
    return {goal_id: Call(*call) for goal_id, *call in rows}
