"""Events that no feed answers, claimed and leased themselves.

A de-authorization, or a callback with a slug that nobody knows: one worker takes it, under a lease
and an epoch, like a feed.
"""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import CursorResult, Float, and_, bindparam, or_, select, update
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import Session, col
from sqlmodel import select as select_rows

from db import breakers, endings, inbox, leasing, retention, spans
from db.covers import Asker
from db.models import Cover, Event
from db.once import Once
from db.one_or_many import fixed
from db.states import EventKind, EventState

LEASE_SECONDS = 10.0
# As in `db.claiming`: workers ask all the time, so what they ask is made once.
NOW: Any = bindparam("now", type_=Float())
ASKS_FOR_FEEDS = (EventKind.AUTOFETCH, EventKind.REMINDER, EventKind.SYNC)


@dataclass(frozen=True, slots=True)
class EventClaim:
    """A leased event; `epoch` fences off whoever held it before."""

    event: Event
    epoch: int
    owner: str

    @property
    def asker(self) -> list[Asker]:
        """The one event that the work on it answers: itself."""
        return [Asker(self.event.id, self.event.request_id)]


def claim(
    session: Session,
    *,
    kinds: Collection[EventKind],
    owner: str,
    now: float,
    alone: bool = False,
) -> EventClaim | None:
    """Lease the oldest due event of these kinds that no feed answers, or None.

    One whose person's breaker is open is a probe of it, and takes that turn. `alone`: of those at
    which a worker has died or hung, which are done alone.
    """
    due = _wanted(kinds, now, alone=alone)
    first = (
        session.connection()
        .execute(
            select(col(Event.user_id))
            .where(due, ~_blocked(now))
            .order_by(col(Event.due_at))
            .limit(1)
        )
        .one_or_none()
    )
    if first is None:
        return None
    # The row of a breaker is locked before any event is.
    if first.user_id is not None and not breakers.admit(
        session, source_id=None, user_id=first.user_id, now=now, urgent=True
    ):
        return None
    found = leasing.first(
        session,
        Event,
        and_(due, col(Event.user_id) == first.user_id),
        col(Event.due_at),
        owner=owner,
        until=now + LEASE_SECONDS,
    )
    return None if found is None else EventClaim(*found, owner)


def put_back(
    session: Session,
    held: EventClaim,
    *,
    due_at: float,
    error: dict[str, Any] | None = None,
    deferred: bool = False,
    free: bool = True,
    garbled: bool = False,
    done: bool = False,
) -> bool:
    """Release a claimed event to be tried again at `due_at`; False when it was fenced off.

    `deferred`: a limit said so, which costs no attempt while it is `free`. `garbled`: an answer of
    the wrong shape did. `done`: this try came to a good end, and its worker has lived through it;
    else nothing was learned of what it does.
    """
    values: dict[str, Any] = {
        "due_at": due_at,
        "attempts": col(Event.attempts) - int(deferred and free),
        "deferrals": col(Event.deferrals) + int(deferred),
    }
    if not (deferred and free):
        values["garbled"] = col(Event.garbled) + 1 if garbled else 0
    if error is not None:
        values["error"] = error
    if done:
        values |= {"deaths": 0, "suspect": False}
    return _fenced(session, held, values)


def let_go(session: Session, held: EventClaim, *, due_at: float) -> bool:
    """Release an event that was not tried; False when it was fenced off."""
    return _fenced(session, held, {"due_at": due_at, "attempts": col(Event.attempts) - 1})


def finish_claimed(
    session: Session,
    held: EventClaim,
    now: float,
    *,
    error: dict[str, Any] | None = None,
    dead: bool = False,
) -> bool:
    """End a claimed event: done, failed with `error`, or `dead` with it.

    False when it was fenced off.
    """
    state = EventState.DONE if error is None else EventState.FAILED
    if dead:
        state = EventState.DEAD
    ended = _fenced(
        session,
        held,
        {
            "state": state.value,
            "finished_at": now,
            "error": error,
        },
    )
    if ended:
        endings.tell(session, [held.event.id])
    return ended


def _fenced(session: Session, held: EventClaim, values: dict[str, Any]) -> bool:
    values |= {"lease_owner": None, "lease_until": 0.0}
    changed: CursorResult[Any] = session.connection().execute(
        update(Event)
        .where(
            col(Event.id) == held.event.id,
            col(Event.epoch) == held.epoch,
            col(Event.state) == EventState.RECEIVED,  # it may have been given up meanwhile
        )
        .values(**values)
    )
    return changed.rowcount == 1


def any_due(
    session: Session, kinds: Collection[EventKind], now: float, *, alone: bool = False
) -> bool:
    """Is there an event of these kinds to claim?"""
    asked = _any_due(frozenset(kinds), alone=alone)
    return asked.ask(session, {"now": now}).first() is not None


@cache
def _any_due(kinds: frozenset[EventKind], *, alone: bool) -> Once:
    return Once(select(col(Event.id)).where(due(kinds, alone=alone)).limit(1))


def due(kinds: Collection[EventKind], *, alone: bool = False) -> ColumnElement[bool]:
    """Events of these kinds that may be claimed at `NOW`."""
    return and_(_wanted(kinds, NOW, alone=alone), ~_blocked(NOW))


def _blocked(now: float) -> ColumnElement[bool]:
    """Whoever it is of, of whom we know: their link waits for a probe. Somebody waits for it."""
    return breakers.link_blocked(Event, now, urgent=True)


def _wanted(kinds: Collection[EventKind], now: float, *, alone: bool) -> ColumnElement[bool]:
    return and_(
        fixed(col(Event.kind), kinds),
        col(Event.state) == EventState.RECEIVED,
        spans.past(col(Event.due_at), now),
        col(Event.lease_owner).is_(None),
        col(Event.lease_until) <= now,
        col(Event.suspect).is_(alone),
        or_(~fixed(col(Event.kind), ASKS_FOR_FEEDS), col(Event.epoch) > 0),
    )


def any_older(session: Session, received_before: float, *, kinds: Collection[EventKind]) -> bool:
    """Is there an unfinished event of these kinds that came in before then?"""
    asked, given = _any_older(frozenset(kinds)), {"before": received_before}
    return asked.ask(session, given).first() is not None


@cache  # each sweep asks
def _any_older(kinds: frozenset[EventKind]) -> Once:
    before: Any = bindparam("before", type_=Float())
    return Once(select(col(Event.id)).where(_open_since(before, kinds)).limit(1))


def give_up(
    session: Session, received_before: float, now: float, *, kinds: Collection[EventKind]
) -> int:
    """Events that could not be finished for so long are dead: shown, and fit to be replayed.

    What kept them stays on them, with what to do. Returns how many; of a great many the oldest
    thousand, and the next call goes on.
    """
    old = session.exec(
        select_rows(Event)
        .where(_open_since(received_before, kinds))
        .order_by(col(Event.received_at))
        .limit(1000)
    ).all()
    ids = [event.id for event in old]
    session.connection().execute(
        update(Cover).where(col(Cover.event_id).in_(ids)).values(done=True)
    )
    inbox.lock(session, ids)
    count = 0
    for event in old:
        changed = session.connection().execute(
            update(Event)
            .where(col(Event.id) == event.id, col(Event.state).not_in(inbox.ENDED))
            .values(
                state=EventState.DEAD.value,
                finished_at=now,
                lease_owner=None,
                lease_until=0.0,
                error=given_up(event.id, event.error),
            )
        )
        count += changed.rowcount
    endings.tell(session, ids)
    return count


def given_up(event_id: str, error: dict[str, Any] | None) -> dict[str, Any]:
    """The error of a dead event: what was in its way last, and how it is tried again."""
    found = error or {"code": "dead", "message": "no worker came to it"}
    message = f"given up: {found['message']}; `waggle replay {event_id}` tries it again"
    return {**found, "message": message}


def _open_since(received_before: float, kinds: Collection[EventKind]) -> ColumnElement[bool]:
    return and_(
        col(Event.state).in_((EventState.RECEIVED, EventState.WORKING)),
        col(Event.kind).in_(kinds),
        spans.past(col(Event.received_at), received_before),
    )


def forget(session: Session, finished_before: float) -> int:
    """Delete some finished events, and what they were covered by, from before then."""
    over = and_(col(Event.state).in_(inbox.ENDED), col(Event.finished_at) < finished_before)
    # Whatever ended before then came before then: there is an index of that.
    return retention.some(session, Event, and_(col(Event.received_at) < finished_before, over))
