"""Tying callbacks to the feeds they ask for.

From then on the feeds carry the lease, and the event waits for its covers. Nothing that a callback
says is believed beyond "look at this goal": names are looked up in the ledger (`db.called`), and a
slug that is not known there is looked up at Beeminder by somebody else (`db.events`).

A pass sends as many statements for many callbacks as for one.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, and_, bindparam, insert, select, update
from sqlmodel import Session, col

from db import called, events, feeds, inbox, resting, spans
from db.called import Callback, Named
from db.events import ASKS_FOR_FEEDS, NOW, EventClaim
from db.models import Cover, Event, Feed
from db.once import Once
from db.one_or_many import OneOrMany, fixed
from db.states import EventState

AT_ONCE = 200  # callbacks in one transaction
NO_SUCH_FEED = "no_such_feed"  # the code of what the receiver answers with 404
NOBODY = "no such person is linked; `waggle apply` or /beeminder/connect links one"
NO_GOAL = "this goal is not linked; `waggle link` links it"
ASLEEP = "the feed is paused or unlinked; `waggle resume` or `waggle link` brings it back"


# The clocks of who stores a callback and of who opens it differ by a moment, and nobody stores one
# for later: who was rung for it should see it.
CLOCKS_APART = 1.0
# Named once: to make a statement costs more than to ask with it, and each callback asks.
NEW = and_(
    col(Event.state) == EventState.RECEIVED,
    fixed(col(Event.kind), ASKS_FOR_FEEDS),
    spans.past(col(Event.due_at), NOW + CLOCKS_APART),
    col(Event.epoch) == 0,
)
_ANY_NEW = Once(select(col(Event.id)).where(NEW).limit(1))
_SAYS = (col(Event.id), col(Event.user_id), col(Event.goal_id), col(Event.payload))
_FINDING = Once(select(*_SAYS).where(NEW).order_by(col(Event.due_at)).limit(bindparam("at_most")))
_READING = Once(select(*_SAYS).where(col(Event.id) == bindparam("of_event")))
_LOCKING_NEW = OneOrMany(
    lambda among: (
        select(col(Event.id))
        .where(among(col(Event.id)), NEW)
        .with_for_update(skip_locked=True, key_share=True)
    )
)
_LOCKING_FEEDS = OneOrMany(
    lambda among: (
        select(
            col(Feed.id), col(Feed.goal_id), col(Feed.state), col(Feed.reason), col(Feed.last_error)
        )
        .where(among(col(Feed.goal_id)))
        .order_by(col(Feed.id))
        .with_for_update(key_share=True)
    )
)
_TYING = Once(
    update(Event)
    .where(col(Event.id) == bindparam("of_event"))
    .values(
        user_id=bindparam("whose"),
        goal_id=bindparam("of_goal"),
        state=bindparam("becomes"),
        attempts=0,  # from here on its covers are counted
    )
)
_COVERING = Once(insert(Cover))
_PASSING_ON = Once(
    update(Event)
    .where(col(Event.id) == bindparam("of_event"))
    .values(
        user_id=bindparam("whose"),
        epoch=1,  # looked at: this pass is over, `events.claim` takes it from here
    )
)


@dataclass(slots=True)
class Opened:
    """What one pass over the new callbacks found."""

    unknown: int = 0
    more: bool = False


def any_new(session: Session, now: float) -> bool:
    """Is there a callback that nobody has looked at?"""
    return _ANY_NEW.ask(session, {"now": now}).first() is not None


def look(session: Session, now: float, *, limit: int = AT_ONCE) -> Sequence[Row[Any]]:
    """Callbacks that nobody has looked at, the longest due first; keeps nobody from writing."""
    found: Sequence[Row[Any]] = _FINDING.ask(session, {"now": now, "at_most": limit}).all()
    return found


def open_callbacks(
    session: Session, now: float, *, limit: int = AT_ONCE, found: Sequence[Row[Any]] | None = None
) -> Opened:
    """Tie new callbacks to their feeds, and make these feeds due at once, urgently.

    `found`: what a look before this transaction has found (None: it is looked for here); what
    somebody else has opened since is theirs.

    A callback of an unknown person, or for a feed that its person paused, ends here. One with an
    unknown slug of a known person is left for `claim`: the goal may have been renamed. So is one
    of an unknown person while somebody we know may have taken that name.
    """
    if found is None:
        found = look(session, now, limit=limit)
    opened = Opened(more=len(found) == limit)
    if not found:
        return opened
    named = called.find(session, found)
    linked = _lock_feeds(session, {one.goal_id for one in named.values()} - {None})
    found = _lock_new(session, found, now)
    known = {one.id: named[one.id] for one in found if named[one.id].goal_id is not None}
    opened.unknown = _pass_on(session, [one for one in found if one.id not in known], named, now)
    _tie(session, known, linked, now)
    return opened


def _lock_feeds(
    session: Session, goal_ids: Collection[int | None]
) -> Mapping[int, Sequence[Row[Any]]]:
    """The feeds of these goals as they stand, locked in the order of their ids."""
    linked: dict[int, list[Row[Any]]] = defaultdict(list)
    if goal_ids:
        for row in _LOCKING_FEEDS.ask(session, goal_ids):
            linked[row.goal_id].append(row)
    return linked


def _lock_new(session: Session, found: Sequence[Row[Any]], now: float) -> Sequence[Row[Any]]:
    """Those of these events that nobody else has opened meanwhile, or is about to."""
    ours = set(_LOCKING_NEW.ask(session, [one.id for one in found], now=now).scalars())
    return [one for one in found if one.id in ours]


def _pass_on(
    session: Session, unknown: Sequence[Callback], named: Mapping[str, Named], now: float
) -> int:
    """Leave these for a look-up, or end those of nobody whom we might know; returns how many."""
    if not unknown:
        return 0
    whose = {one.id: named[one.id].user_id for one in unknown}
    slugs = {called.slug_of(one) for one in unknown if whose[one.id] is None}
    may_be = called.slugs_of_somebody(session, slugs, now)
    left = [
        {"of_event": one.id, "whose": whose[one.id]}
        for one in unknown
        if whose[one.id] is not None or called.slug_of(one) in may_be
    ]
    if left:
        _PASSING_ON.ask(session, left)
    ended = whose.keys() - {one["of_event"] for one in left}
    if ended:
        inbox.finish(session, ended, now, error=no_such_feed(NOBODY))
    return len(left)


def resolve(session: Session, held: EventClaim, now: float) -> bool:
    """After a look-up: tie the event to its feeds, or end it; False when it was fenced off."""
    if not events.put_back(session, held, due_at=now):
        return False
    event = _READING.ask(session, {"of_event": held.event.id}).one()
    named = called.find(session, [event])
    goal_id = named[event.id].goal_id
    if goal_id is None:
        inbox.finish(session, [event.id], now, error=no_such_feed(NO_GOAL))
    else:
        _tie(session, named, _lock_feeds(session, [goal_id]), now)
    return True


def _tie(
    session: Session,
    named: Mapping[str, Named],
    linked: Mapping[int, Sequence[Row[Any]]],
    now: float,
) -> None:
    """Make the events wait for the feeds of their goals, which are asked for.

    With one of them set aside the goal can't be fresh: the event ends with the reason, and the
    others are synced all the same.
    """
    tied, covers = [], []
    asked: set[int] = set()
    ended: dict[tuple[str, str | None], list[str]] = defaultdict(list)
    for event_id, one in named.items():
        rows = linked.get(one.goal_id or 0, ())
        awake = [row.id for row in rows if resting.is_claimable(row.state, row.reason)]
        aside = next((row for row in rows if resting.is_set_aside(row.state, row.reason)), None)
        becomes = EventState.RECEIVED
        if aside is not None:
            ended[resting.SET_ASIDE, aside.last_error].append(event_id)
        elif not awake:
            ended[NO_SUCH_FEED, ASLEEP].append(event_id)
        else:
            becomes = EventState.WORKING
            covers += [{"event_id": event_id, "feed_id": feed_id} for feed_id in awake]
        asked.update(awake)
        names = {"whose": one.user_id, "of_goal": one.goal_id}
        tied.append({"of_event": event_id, "becomes": becomes.value, **names})
    if tied:
        _TYING.ask(session, tied)
    if covers:
        _COVERING.ask(session, covers)
    for (code, message), ids in ended.items():
        inbox.finish(session, ids, now, error={"code": code, "message": message})
    feeds.ask_locked(session, asked, now)


def no_such_feed(message: str) -> dict[str, str]:
    """The error that the receiver answers with 404."""
    return {"code": NO_SUCH_FEED, "message": message}
