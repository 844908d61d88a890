"""Tying callbacks to the feeds they ask for.

From then on the feeds carry the lease, and the event waits for its covers. Nothing that a callback
says is believed beyond "look at this goal": names are looked up in the ledger, and a slug that is
not known there is looked up at Beeminder by somebody else (`db.events`).
"""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Select, and_, bindparam, func, insert, or_, select
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import Session, col
from sqlmodel import select as select_rows

from db import events, feeds, inbox, resting
from db.events import ASKS_FOR_FEEDS, EventClaim
from db.models import Cover, Event, Feed, Goal, User
from db.states import EventState, UserState

NAMESAKES = 10  # people who may be looked up for one callback
NAME_BELIEVED_SECONDS = 60.0
NOBODY = "no such person is linked; `waggle apply` or /beeminder/connect links one"
NO_GOAL = "this goal is not linked; `waggle link` links it"
ASLEEP = "the feed is paused or unlinked; `waggle resume` or `waggle link` brings it back"


# Named once: to make a statement costs more than to ask with it, and each callback asks.
_CALLED = select_rows(User).where(func.lower(col(User.username)) == bindparam("name"))
_NAMED = select_rows(Goal).where(
    col(Goal.user_id) == bindparam("of_user"),
    or_(col(Goal.beeminder_id) == bindparam("named"), col(Goal.slug) == bindparam("slug")),
)


@dataclass(slots=True)
class Opened:
    """What one pass over the new callbacks found."""

    unknown: int = 0
    more: bool = False


def any_new(session: Session, now: float) -> bool:
    """Is there a callback that nobody has looked at?"""
    return session.connection().execute(_any_new(), {"now": now}).first() is not None


@cache
def _any_new() -> Select[Any]:
    return select(col(Event.id)).where(_new(events.NOW)).limit(1)


def _new(now: float) -> ColumnElement[bool]:
    return and_(
        col(Event.state) == EventState.RECEIVED,
        col(Event.kind).in_(ASKS_FOR_FEEDS),
        col(Event.due_at) <= now,
        col(Event.epoch) == 0,
    )


def open_callbacks(session: Session, now: float, *, limit: int = 200) -> Opened:
    """Tie new callbacks to their feeds, and make these feeds due at once, urgently.

    A callback of an unknown person, or for a feed that its person paused, ends here. One with an
    unknown slug of a known person is left for `claim`: the goal may have been renamed. So is one
    of an unknown person while somebody we know may have taken that name.
    """
    found = session.exec(
        select_rows(Event).where(_new(now)).order_by(col(Event.due_at)).limit(limit)
    ).all()
    opened = Opened(more=len(found) == limit)
    goals = {event.id: find_goal(session, event) for event in found}
    feeds.lock(session, col(Feed.goal_id).in_({goal.id for goal in goals.values() if goal}))
    ours = _lock_new(session, list(goals), now)
    asked: set[int] = set()
    for event in found:
        if event.id not in ours:
            continue  # another pass was faster
        goal = goals[event.id]
        if goal is not None:
            asked |= _tie(session, event, goal, now)
            continue
        user = find_user(session, event)
        if user is None and not may_be(session, event, now):
            inbox.finish(session, [event.id], now, error=no_such_feed(NOBODY))
            continue
        event.user_id = None if user is None else user.id
        event.epoch = 1  # looked at: this pass is over, `claim` takes it from here
        session.add(event)
        opened.unknown += 1
    session.flush()
    feeds.ask(session, asked, now)
    return opened


def _lock_new(session: Session, ids: Collection[str], now: float) -> set[str]:
    """Those of these events that nobody has opened yet, or is about to."""
    locked = session.connection().execute(
        select(col(Event.id))
        .where(col(Event.id).in_(ids), _new(now))
        .with_for_update(skip_locked=True, key_share=True)
    )
    return set(locked.scalars())


def resolve(session: Session, held: EventClaim, now: float) -> bool:
    """After a look-up: tie the event to its feeds, or end it; False when it was fenced off."""
    if not events.put_back(session, held, due_at=now):
        return False
    event = session.get_one(Event, held.event.id, populate_existing=True)
    goal = find_goal(session, event)
    if goal is None:
        inbox.finish(session, [event.id], now, error=no_such_feed(NO_GOAL))
    else:
        feeds.ask(session, _tie(session, event, goal, now), now)
    return True


def _tie(session: Session, event: Event, goal: Goal, now: float) -> set[int]:
    """Make the event wait for the goal's feeds; returns those, which the caller asks for.

    With one of them set aside the goal can't be fresh: the event ends with the reason, and the
    others are synced all the same.
    """
    linked = session.connection().execute(
        select(col(Feed.id), col(Feed.state), col(Feed.reason), col(Feed.last_error)).where(
            col(Feed.goal_id) == goal.id
        )
    )
    rows = linked.all()
    awake = {row.id for row in rows if resting.is_claimable(row.state, row.reason)}
    aside = next((row for row in rows if resting.is_set_aside(row.state, row.reason)), None)
    event.goal_id, event.user_id = goal.id, goal.user_id
    event.attempts = 0  # from here on its covers are counted
    waits = bool(awake) and aside is None
    if waits:
        event.state = EventState.WORKING
    session.add(event)
    session.flush()
    if waits:
        session.connection().execute(
            insert(Cover), [{"event_id": event.id, "feed_id": feed_id} for feed_id in awake]
        )
    elif aside is not None:
        error = {"code": resting.SET_ASIDE, "message": aside.last_error}
        inbox.finish(session, [event.id], now, error=error)
    else:
        inbox.finish(session, [event.id], now, error=no_such_feed(ASLEEP))
    return awake


def find_user(session: Session, event: Event) -> User | None:
    """The person an event speaks of, by our id or by the username it carries."""
    if event.user_id is not None:
        return session.get(User, event.user_id)
    username = str(event.payload.get("username", "")).lower()
    return session.exec(_CALLED, params={"name": username}).one_or_none()


def find_goal(session: Session, event: Event) -> Goal | None:
    """The goal an event speaks of, by our id, by Beeminder's, or by the slug as we know it."""
    if event.goal_id is not None:
        return session.get(Goal, event.goal_id)
    user = find_user(session, event)
    if user is None:
        return None
    slug = str(event.payload.get("slug", "")).lower()
    beeminder_id = event.payload.get("goal_beeminder_id")
    # Without an id of Beeminder's only the slug counts: nothing equals NULL.
    asked = {"of_user": user.id, "slug": slug, "named": beeminder_id or None}
    return session.exec(_NAMED, params=asked).first()


def may_be(session: Session, event: Event, now: float) -> list[User]:
    """Who of ours may have taken the username that an event carries, and nobody here has.

    People with a goal of that slug, whose own name was not looked at within the last minute: a
    flood of made-up names costs nothing more. Those looked at longest ago go first.
    """
    slug = str(event.payload.get("slug", "")).lower()
    theirs = select(col(Goal.user_id)).where(col(Goal.slug) == slug)
    looked_at = func.coalesce(col(User.facts_at), 0.0)
    return list(
        session.exec(
            select_rows(User)
            .where(
                col(User.id).in_(theirs),
                col(User.state) == UserState.ACTIVE,
                looked_at < now - NAME_BELIEVED_SECONDS,
            )
            .order_by(looked_at, col(User.id))
            .limit(NAMESAKES)
        )
    )


def no_such_feed(message: str) -> dict[str, str]:
    """The error that the receiver answers with 404."""
    return {"code": "no_such_feed", "message": message}
