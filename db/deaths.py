"""Deaths: leases that ended without being given back, and what died too often.

Whoever ends a piece of work gives its lease back, whatever became of it; so does a process that is
told to stop. A lease that ended by itself is a death: its process was killed, its thread hangs, or
it left by an error that nobody expected. Whether the work did that, or only stood beside it, is
decided by who died with it.

- Died alone: it counts. Its feed is a suspect, and runs alone from now on (`db.suspects`).
- Died together: nothing is counted, and all of them are suspects, tried one by one. One that had
  begun alone is counted all the same: it outlived its time alone, and the others came in later.
- Died in a crowd: as likely somebody killed a busy process. So they are tried source by source at
  first; those that die together again are tried one by one.
- A good end of the same kind of work sets the count of a feed to 0 (`db.suspicion`). After five
  deaths in a row it is set aside, until a person says that it may run again.

So a process that is killed for other reasons now and then sets nothing aside: what it held is tried
again, and ends well. Events that no feed answers are counted in the same way; after five they are
dead.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Float, Row, bindparam, select, update
from sqlmodel import Session, col

from db import feeds, resting, set_aside, suspicion
from db.feeds import LEASE_SECONDS
from db.models import Event, Feed, Worker
from db.once import Once
from db.states import EventState

MOST = 5  # deaths in a row
CROWD = 11  # so many feeds are too many to try them one by one at once
OF_A_CROWD = -1  # the count of one that has died in a crowd, until it is known more
PAUSE_SECONDS = 2.5  # doubled with each death: what killed it may be over by then
SILENT_SECONDS = 6.0  # a process that has missed two heartbeats is gone
RENEWED_SECONDS = 3.0  # what lies between taking or renewing leases and saying so, at the most

Rows = Sequence[Row[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Burial:
    """What died with the process that owned it, or (`lives`) with one of its threads.

    `counted` is the feed or event that died alone. Ids of feeds: `suspects` died together,
    `set_aside` alone and once too often. Ids of events: `events` died, `dead` once too often.
    """

    owner: str
    lives: bool
    suspects: tuple[int, ...] = ()
    counted: int | str | None = None
    set_aside: int | None = None
    events: tuple[str, ...] = ()
    dead: str | None = None


def any_ended(session: Session, now: float) -> bool:
    """Has a lease ended by itself? Two looks into indexes of what is leased."""
    asked = (_ended(table, any_one=True) for table in (Feed, Event))
    return any(one.ask(session, {"now": now}).first() for one in asked)


def bury(session: Session, now: float, *, gone: Collection[str] = ()) -> list[Burial]:
    """Look into every lease that ended by itself: who died, with whom, and how often.

    `gone`: owners whose processes are known to be over; their leases have ended, whatever they say.
    Nobody holds them afterwards. Of two who look at the same time the second finds nothing.
    """
    owners = _owners(session, Feed, now) | _owners(session, Event, now) | set(gone)
    if not owners:
        return []
    feeds.lock(session, col(Feed.lease_owner).in_(owners))
    held, called = _held(session, Feed, owners), _held(session, Event, owners)
    beats = session.connection().execute(
        select(col(Worker.name), col(Worker.seen_at)).where(col(Worker.name).in_(owners))
    )
    seen: dict[str, float] = {row.name: row.seen_at for row in beats}
    found = []
    for owner in sorted(owners):
        theirs: Rows = [row for row in held if row.lease_owner == owner]
        events: Rows = [row for row in called if row.lease_owner == owner]
        lives = owner not in gone and seen.get(owner, 0.0) > now - SILENT_SECONDS
        if lives:
            theirs, events = _given_up(theirs, events, seen[owner], now)
        elif owner in gone:
            for table, rows in ((Feed, theirs), (Event, events)):
                _set(session, table, rows, lease_until=now)
        if any(owner in gone or row.lease_until <= now for row in (*theirs, *events)):
            found.append(_bury(session, owner, theirs, events, lives=lives, now=now))
    return found


def _owners(session: Session, table: type[Feed | Event], now: float) -> set[str]:
    rows = _ended(table).ask(session, {"now": now})
    return {owner for owner in rows.scalars() if owner is not None}


@cache  # each sweep asks
def _ended(table: type[Feed | Event], *, any_one: bool = False) -> Once:
    ended = select(col(table.lease_owner)).where(
        col(table.lease_owner).is_not(None),
        col(table.lease_until) <= bindparam("now", type_=Float()),
    )
    return Once(ended.limit(1) if any_one else ended)


def _held(session: Session, table: type[Feed | Event], owners: Collection[str]) -> Rows:
    """What these hold, also where the lease has not ended; locked in the order of ids."""
    columns: list[Any] = [table.id, table.lease_owner, table.lease_until]
    columns += [table.deaths, table.suspect, table.state]
    if table is Feed:
        columns.append(Feed.reason)
    return (
        session.connection()
        .execute(
            select(*columns)
            .where(col(table.lease_owner).in_(owners))
            .order_by(col(table.id))
            .with_for_update(key_share=True)
        )
        .all()
    )


def _given_up(held: Rows, events: Rows, seen: float, now: float) -> tuple[Rows, Rows]:
    """Of what a living process holds, what it has not renewed: those threads died together.

    Nobody renews the lease of an event. Where it ended just now its process may have died since it
    was heard of last: that is known a little later.
    """
    renewed = seen + LEASE_SECONDS - RENEWED_SECONDS
    ended = now - SILENT_SECONDS
    return (
        [row for row in held if row.lease_until < renewed],
        [row for row in events if row.lease_until <= ended],
    )


def _bury(
    session: Session, owner: str, held: Rows, events: Rows, *, lives: bool, now: float
) -> Burial:
    """All of these died together; nobody else looks at them."""
    _set(session, Feed, held, lease_owner=None)
    _set(session, Event, events, lease_owner=None)
    # What is set aside, or paused by a person, was held for a look at its goal only.
    tried = [row for row in held if resting.is_claimable(row.state, row.reason)]
    died = [row for row in events if row.state == EventState.RECEIVED]
    culprit = _culprit((*tried, *died), alone=len(held) + len(events) == 1)
    crowd = len(tried) >= CROWD
    new = [row for row in tried if not row.suspect]
    again = [row for row in tried if row.suspect and row.deaths == OF_A_CROWD]
    _set(session, Feed, tried, **suspicion.raised())
    _set(session, Feed, new, deaths=OF_A_CROWD if crowd else 0)
    _set(session, Feed, again, deaths=0)
    _set(session, Event, died, suspect=True)
    too_often = False
    if culprit is not None:
        deaths = max(culprit.deaths, 0) + 1
        too_often = deaths >= MOST
        is_feed = culprit in tried
        table = Feed if is_feed else Event
        _set(session, table, [culprit], deaths=deaths, lease_until=_pause(culprit, deaths))
        if too_often:
            aside = set_aside.feed if is_feed else set_aside.event
            aside(session, culprit.id, deaths, now)
    return Burial(
        owner=owner,
        lives=lives,
        suspects=tuple(row.id for row in tried if row is not culprit),
        counted=None if culprit is None else culprit.id,
        set_aside=culprit.id if culprit in tried and too_often else None,
        events=tuple(row.id for row in died),
        dead=culprit.id if culprit in died and too_often else None,
    )


def _culprit(held: Rows, *, alone: bool) -> Row[Any] | None:
    """Who did it, as far as that is known: nobody else was there, or it had begun alone."""
    begun_alone = held if alone else [row for row in held if row.suspect]
    return begun_alone[0] if len(begun_alone) == 1 else None


def _pause(row: Row[Any], deaths: int) -> float:
    """Until when nobody takes it. Its lease was a part of that: it died when that began."""
    until: float = row.lease_until
    return until + max(0.0, PAUSE_SECONDS * 2.0**deaths - LEASE_SECONDS)


def _set(session: Session, table: type[Feed | Event], rows: Rows, **columns: object) -> None:
    if rows:
        session.connection().execute(
            update(table).where(col(table.id).in_([row.id for row in rows])).values(**columns)
        )
