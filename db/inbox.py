"""The inbox: callbacks stored before they are answered, and what became of them.

`store` is one INSERT for a whole group of callbacks. `open_callbacks` ties each to the feeds it
asks for; from then on the feeds carry the lease and the event waits for its covers. Events that
concern no feed (de-authorization, a slug nobody knows) are claimed and leased themselves.
"""

import secrets
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import CursorResult, and_, case, func, insert, or_, select, update
from sqlmodel import Session, col

from db.models import Cover, Event, EventKind, EventState, Feed, FeedState, Goal, Lane, User

LEASE_SECONDS = 10.0
ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford: no i, l, o, u to misread
ASKS_FOR_FEEDS = (EventKind.AUTOFETCH, EventKind.REMINDER, EventKind.SYNC)
WAKEABLE = (FeedState.ACTIVE, FeedState.FAILING)
ENDED = (EventState.DONE, EventState.FAILED, EventState.DEAD)


def new_id(now: float, *, random_bits: Callable[[int], int] = secrets.randbits) -> str:
    """26 characters that sort by time (48 bits of milliseconds, 80 random bits)."""
    number = (int(now * 1000) << 80) | random_bits(80)
    return "".join(ALPHABET[(number >> shift) & 31] for shift in range(125, -5, -5))


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """A callback as it came in. `payload` holds what to look up, and no secret."""

    kind: EventKind
    payload: dict[str, Any]
    received_at: float
    user_id: int | None = None
    goal_id: int | None = None
    replay_of: str | None = None
    id: str = field(default_factory=lambda: new_id(time.time()))


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where an event stands: `error` is `{"code", "message"}` of the last failed try."""

    state: EventState
    datapoints: int
    error: dict[str, Any] | None


def store(session: Session, events: Sequence[NewEvent]) -> None:
    """Insert all of them in one statement; the caller commits before it answers anybody."""
    session.connection().execute(
        insert(Event),
        [
            {
                "id": new.id,
                "kind": new.kind.value,
                "payload": new.payload,
                "user_id": new.user_id,
                "goal_id": new.goal_id,
                "replay_of": new.replay_of,
                "state": EventState.RECEIVED.value,
                "received_at": new.received_at,
                "due_at": new.received_at,
            }
            for new in events
        ],
    )


def outcomes(session: Session, ids: Collection[str]) -> dict[str, Outcome]:
    """Where these events stand; unknown ids are left out."""
    rows = session.connection().execute(
        select(col(Event.id), col(Event.state), col(Event.datapoints), col(Event.error)).where(
            col(Event.id).in_(ids)
        )
    )
    return {row.id: Outcome(EventState(row.state), row.datapoints, row.error) for row in rows}


def ended(session: Session, ids: Collection[str]) -> set[str]:
    """Those of these events that are done, failed or dead: the cheap question of a hold."""
    rows = session.connection().execute(
        select(col(Event.id)).where(col(Event.id).in_(ids), col(Event.state).in_(ENDED))
    )
    return set(rows.scalars())


@dataclass(slots=True)
class Opened:
    """What one pass over the new callbacks found."""

    feeds: set[int] = field(default_factory=set)
    unknown: list[str] = field(default_factory=list)
    more: bool = False


def open_callbacks(session: Session, now: float, *, limit: int = 200) -> Opened:
    """Tie waiting callbacks to their feeds, and make these feeds due at once, urgently.

    A callback of an unknown person, or for a feed that its person paused, ends here. One with an
    unknown slug of a known person is left for `claim` (the goal may have been renamed).
    """
    events = session.exec(
        _select_events()
        .where(
            col(Event.state) == EventState.RECEIVED,
            col(Event.kind).in_(ASKS_FOR_FEEDS),
            col(Event.lease_until) <= now,
            col(Event.due_at) <= now,
            col(Event.epoch) == 0,
        )
        .order_by(col(Event.due_at))
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    opened = Opened(more=len(events) == limit)
    for event in events:
        _open(session, event, now, opened)
    return opened


def _select_events() -> Any:  # noqa: ANN401 -- sqlmodel.select of a table, a generic it does not export
    from sqlmodel import select as select_rows  # noqa: PLC0415 -- same name as SQLAlchemy's

    return select_rows(Event)


def _open(session: Session, event: Event, now: float, opened: Opened) -> None:
    goal = find_goal(session, event)
    if goal is None:
        user = find_user(session, event)
        if user is None:
            finish(session, [event.id], now, error=no_such_feed("no such person is linked"))
        else:
            event.user_id = user.id
            event.epoch = 1  # looked at: this pass is over, `claim` takes it from here
            session.add(event)
            opened.unknown.append(event.id)
        return
    feeds = session.connection().execute(
        select(col(Feed.id), col(Feed.state)).where(col(Feed.goal_id) == goal.id)
    )
    awake = [row.id for row in feeds if row.state in WAKEABLE]
    event.goal_id, event.user_id = goal.id, goal.user_id
    if not awake:
        session.add(event)
        session.flush()
        finish(session, [event.id], now, error=no_such_feed("the feed is paused or unlinked"))
        return
    event.state = EventState.WORKING
    event.attempts = 0
    session.add(event)
    session.flush()
    cover(session, event.id, awake, now)
    opened.feeds.update(awake)


def cover(session: Session, event_id: str, feed_ids: Collection[int], now: float) -> None:
    """Make an event wait for these feeds, and make them due now, ahead of everything."""
    session.connection().execute(
        insert(Cover), [{"event_id": event_id, "feed_id": feed_id} for feed_id in feed_ids]
    )
    ask(session, feed_ids, now)


def ask(session: Session, feed_ids: Collection[int], now: float) -> None:
    """Feeds are wanted at once: due now, urgent, and once more if they are being synced."""
    session.connection().execute(
        update(Feed)
        .where(col(Feed.id).in_(feed_ids))
        .values(
            asked=col(Feed.asked) + 1,
            lane=Lane.URGENT.value,
            due_at=case((col(Feed.due_at) > now, now), else_=col(Feed.due_at)),
        )
    )


def find_user(session: Session, event: Event) -> User | None:
    """The person an event speaks of, by our id or by the username it carries."""
    if event.user_id is not None:
        return session.get(User, event.user_id)
    username = str(event.payload.get("username", "")).lower()
    row = (
        session.connection()
        .execute(select(col(User.id)).where(func.lower(col(User.username)) == username))
        .scalar_one_or_none()
    )
    return None if row is None else session.get(User, row)


def find_goal(session: Session, event: Event) -> Goal | None:
    """The goal an event speaks of, by our id, by Beeminder's, or by the slug as we know it."""
    if event.goal_id is not None:
        return session.get(Goal, event.goal_id)
    user = find_user(session, event)
    if user is None:
        return None
    slug = str(event.payload.get("slug", "")).lower()
    beeminder_id = event.payload.get("goal_beeminder_id")
    same = col(Goal.slug) == slug
    if beeminder_id:
        same = or_(col(Goal.beeminder_id) == beeminder_id, same)
    ids = session.connection().execute(
        select(col(Goal.id)).where(col(Goal.user_id) == user.id, same)
    )
    found = ids.scalars().first()
    return None if found is None else session.get(Goal, found)


def no_such_feed(message: str) -> dict[str, str]:
    """The error that the receiver answers with 404."""
    return {"code": "no_such_feed", "message": message}


@dataclass(frozen=True, slots=True)
class EventClaim:
    """A leased event; `epoch` fences off whoever held it before."""

    event: Event
    epoch: int
    owner: str


def claim(
    session: Session, *, kinds: Collection[EventKind], owner: str, now: float
) -> EventClaim | None:
    """Lease the oldest due event of these kinds that no feed answers, or None."""
    due = and_(
        col(Event.kind).in_([kind.value for kind in kinds]),
        col(Event.state) == EventState.RECEIVED,
        col(Event.due_at) <= now,
        col(Event.lease_until) <= now,
        or_(col(Event.kind).not_in(ASKS_FOR_FEEDS), col(Event.epoch) > 0),
    )
    oldest = (
        select(col(Event.id))
        .where(due)
        .order_by(col(Event.due_at))
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    row = (
        session.connection()
        .execute(
            update(Event)
            .where(col(Event.id).in_(oldest), due)
            .values(
                lease_owner=owner,
                lease_until=now + LEASE_SECONDS,
                epoch=col(Event.epoch) + 1,
                attempts=col(Event.attempts) + 1,
            )
            .returning(col(Event.id), col(Event.epoch))
        )
        .one_or_none()
    )
    if row is None:
        return None
    event = session.get_one(Event, row.id, populate_existing=True)
    return EventClaim(event, row.epoch, owner)


def put_back(
    session: Session,
    held: EventClaim,
    *,
    due_at: float,
    error: dict[str, Any] | None = None,
    deferred: bool = False,
) -> bool:
    """Release a claimed event to be tried again at `due_at`; False when it was fenced off."""
    values: dict[str, Any] = {"lease_owner": None, "lease_until": 0.0, "due_at": due_at}
    if deferred:
        values |= {
            "attempts": col(Event.attempts) - 1,
            "deferrals": col(Event.deferrals) + 1,
        }
    if error is not None:
        values["error"] = error
    return _fenced(session, held, values)


def finish_claimed(
    session: Session, held: EventClaim, now: float, *, error: dict[str, Any] | None = None
) -> bool:
    """End a claimed event: done, or failed with `error`; False when it was fenced off."""
    state = EventState.DONE if error is None else EventState.FAILED
    return _fenced(
        session,
        held,
        {
            "state": state.value,
            "finished_at": now,
            "error": error,
            "lease_owner": None,
            "lease_until": 0.0,
        },
    )


def _fenced(session: Session, held: EventClaim, values: dict[str, Any]) -> bool:
    changed: CursorResult[Any] = session.connection().execute(
        update(Event)
        .where(col(Event.id) == held.event.id, col(Event.epoch) == held.epoch)
        .values(**values)
    )
    return changed.rowcount == 1


def finish(
    session: Session,
    ids: Collection[str],
    now: float,
    *,
    error: dict[str, Any] | None = None,
    dead: bool = False,
) -> None:
    """End events that hold no lease: done, failed with `error`, or dead with it."""
    state = EventState.DONE if error is None else EventState.FAILED
    if dead:
        state = EventState.DEAD
    session.connection().execute(
        update(Event)
        .where(col(Event.id).in_(ids), col(Event.state).not_in(ENDED))
        .values(state=state.value, finished_at=now, error=error)
    )
