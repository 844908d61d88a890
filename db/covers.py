"""Covers: which claim of which feed answers which event.

A claim stamps the covers it finds with its epoch, and only those are ended by it: a callback is
never answered by a sync that did not see it. An event is done when all of its covers are.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import (
    Integer,
    Row,
    String,
    and_,
    bindparam,
    exists,
    func,
    literal_column,
    select,
    update,
)
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from db import endings, inbox
from db.models import Cover, Event, Feed
from db.once import Once
from db.one_or_many import OneOrMany
from db.states import EventState

MOST_ASKERS = 20


def _of_covers(what: Any) -> Any:  # noqa: ANN401 -- an aggregate and the scalar subquery around it
    return select(what).where(col(Cover.event_id) == col(Event.id)).scalar_subquery()


_OTHER = aliased(Cover)
# The table's own columns in words: in what SQLite returns, SQLAlchemy says no table before a name,
# and the question would be about its own rows only, all of them.
_SHARED = (
    exists()
    .where(
        col(_OTHER.event_id) == literal_column("cover.event_id", String),
        col(_OTHER.feed_id) != literal_column("cover.feed_id", Integer),
    )
    .label("shared")
)
# Named once: to make a statement costs more than to send it, and each claim and its end asks these.
_EPOCH = select(col(Feed.epoch)).where(col(Feed.id) == col(Cover.feed_id)).scalar_subquery()
_STAMPING = OneOrMany(
    lambda among: (
        update(Cover)
        .where(among(col(Cover.feed_id)), col(Cover.done).is_(False))
        .values(epoch=_EPOCH, attempts=col(Cover.attempts) + 1)
        .returning(col(Cover.event_id), col(Cover.feed_id), _SHARED)
    )
)
_COUNTING = OneOrMany(
    lambda among: (
        update(Event)
        .where(among(col(Event.id)), col(Event.state) == EventState.WORKING)
        .values(
            attempts=_of_covers(func.max(Cover.attempts)),
            deferrals=_of_covers(func.max(Cover.deferrals)),
        )
        .returning(col(Event.id), col(Event.request_id))
    )
)
_OPEN_COVER = exists().where(col(Cover.event_id) == col(Event.id), col(Cover.done).is_(False))
_ANSWERING = OneOrMany(
    lambda among: (
        update(Event)
        .where(among(col(Event.id)), col(Event.state) == EventState.WORKING, ~_OPEN_COVER)
        .values(
            state=EventState.DONE.value,
            finished_at=bindparam("now"),
            error=None,
            datapoints=_of_covers(func.sum(Cover.written)),
        )
        .returning(endings.told(col(Event.id)))
    )
)
_STAMPED = and_(
    col(Cover.feed_id) == bindparam("of_feed"),
    col(Cover.epoch) == bindparam("at_epoch"),
    col(Cover.done).is_(False),
)
_YOUNGEST = Once(
    select(col(Cover.attempts), col(Event.received_at))
    .join(Event, col(Event.id) == col(Cover.event_id))
    .where(_STAMPED)
    .order_by(col(Event.received_at).desc())
    .limit(1)
)
_PUTTING_BACK = Once(
    update(Cover)
    .where(_STAMPED)
    .values(
        epoch=None,
        attempts=col(Cover.attempts) - bindparam("costless", type_=Integer),
        deferrals=col(Cover.deferrals) + bindparam("waited", type_=Integer),
    )
    .returning(col(Cover.event_id), _SHARED)
)
_ENDING = Once(
    update(Cover)
    .where(_STAMPED)
    .values(done=True, written=bindparam("points"))
    .returning(col(Cover.event_id), _SHARED)
)
_UNSTAMPING = Once(
    update(Cover).where(_STAMPED).values(epoch=None, attempts=col(Cover.attempts) - 1)
)


def _by(feed_id: int, epoch: int) -> dict[str, int]:
    return {"of_feed": feed_id, "at_epoch": epoch}


@dataclass(frozen=True, slots=True)
class Asker:
    """An event that waits for a claim, and the request that brought it."""

    event_id: str
    request_id: str | None = None


def stamp(session: Session, feed_ids: Collection[int]) -> dict[int, tuple[Asker, ...]]:
    """Mark the events that wait for these feeds as answered by the claims just made.

    Returns them by feed, the oldest first; at most `MOST_ASKERS` of each.
    """
    stamped = _STAMPING.ask(session, feed_ids).all()
    waiting = _count_tries(session, stamped)
    found = defaultdict(list)
    for row in sorted(stamped, key=lambda row: row.event_id):
        if row.event_id in waiting:
            found[row.feed_id].append(waiting[row.event_id])
    return {feed_id: tuple(askers[:MOST_ASKERS]) for feed_id, askers in found.items()}


def awaited(session: Session, feed_ids: Collection[int]) -> set[int]:
    """Those of these feeds that an event waits for."""
    waiting = select(col(Cover.feed_id)).where(
        col(Cover.feed_id).in_(feed_ids), col(Cover.done).is_(False)
    )
    return set(session.connection().execute(waiting).scalars())


def unstamp(session: Session, feed_id: int, epoch: int) -> None:
    """Take a claim back that tried nothing: the events wait for the next one."""
    _UNSTAMPING.ask(session, _by(feed_id, epoch))


def put_back(
    session: Session,
    feed_id: int,
    epoch: int,
    *,
    error: dict[str, Any],
    deferred: bool,
    free: bool = True,
) -> None:
    """The events wait for the next claim; what went wrong stands on them, a free deferral does not.

    `deferred`: a limit said so, which costs no attempt while it is `free`.
    """
    costless = deferred and free
    counted = {"costless": int(costless), "waited": int(deferred)}
    events = _PUTTING_BACK.ask(session, _by(feed_id, epoch) | counted).all()
    _count_tries(session, events)
    ids = {row.event_id for row in events}
    if ids:
        waiting = _waiting(deferred=deferred, told=not costless)
        named = {"of_feed": feed_id} if deferred else {}
        waiting.ask(session, ids, **named, **({} if costless else {"told": error}))


@cache
def _waiting(*, deferred: bool, told: bool) -> OneOrMany:
    values: dict[str, Any] = {"error": bindparam("told")} if told else {}
    if deferred:  # this wait is counted (`db.deferrals`)
        due_at = select(col(Feed.due_at)).where(col(Feed.id) == bindparam("of_feed"))
        values["due_at"] = due_at.scalar_subquery()
    return OneOrMany(
        lambda among: (
            update(Event)
            .where(among(col(Event.id)), col(Event.state) == EventState.WORKING)
            .values(**values)
        )
    )


def end(
    session: Session,
    feed_id: int,
    epoch: int,
    *,
    now: float,
    written: int = 0,
    error: dict[str, Any] | None = None,
) -> None:
    """The feed is fresh (`written`: how many datapoints that took), or has failed with `error`."""
    rows = _ENDING.ask(session, _by(feed_id, epoch) | {"points": written}).all()
    ids = sorted(row.event_id for row in rows)
    if not ids:
        return
    if error is not None:
        inbox.finish(session, ids, now, error=error)
        return
    _lock(session, rows)
    _ANSWERING.ask(session, ids, now=now)


def youngest(session: Session, feed_id: int, epoch: int) -> tuple[int, float] | None:
    """(tries, received_at) of the last callback that this claim answers, None without any."""
    row = _YOUNGEST.ask(session, _by(feed_id, epoch)).one_or_none()
    return None if row is None else (row.attempts, row.received_at)


def count_tries(session: Session, event_ids: Collection[str]) -> dict[str, Asker]:
    """An event has been tried as often as the most tried of its covers.

    Returns those that have not ended, by id.
    """
    if not event_ids:
        return {}
    inbox.lock(session, event_ids)
    return _counted(session, event_ids)


def _count_tries(session: Session, covers: Sequence[Row[Any]]) -> dict[str, Asker]:
    """The same of the events of these covers."""
    if not covers:
        return {}
    _lock(session, covers)
    return _counted(session, {row.event_id for row in covers})


def _counted(session: Session, event_ids: Collection[str]) -> dict[str, Asker]:
    rows = _COUNTING.ask(session, event_ids)
    return {row.id: Asker(row.id, row.request_id) for row in rows}


def _lock(session: Session, covers: Sequence[Row[Any]]) -> None:
    """Lock the events of these covers, before anything is made of all covers that they have.

    Two syncs may end the last two covers of one event at the same moment. Each locks the event
    first and only then looks at the covers, so the second one sees what the first one did. Of an
    event with one cover there is nothing more to see; several are locked in the order of all.
    """
    ids = {row.event_id for row in covers}
    if len(ids) > 1 or any(row.shared for row in covers):
        inbox.lock(session, ids)
