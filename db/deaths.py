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

So a process that is killed for other reasons sets nothing aside: what it held is tried again, and
ends well. Events that no feed answers count each death; after five they are dead.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, func, select, update
from sqlmodel import Session, col

from db import backfills, feeds, inbox, notices, resting, suspicion
from db.feeds import LEASE_SECONDS
from db.models import Cover, Event, Feed, Goal, User, Worker
from db.names import feed_name
from db.states import EventState, FeedState, Lane

MOST = 5  # deaths in a row
CROWD = 11  # so many feeds are too many to try them one by one at once
OF_A_CROWD = -1  # the count of one that has died in a crowd, until it is known more
PAUSE_SECONDS = 2.5  # doubled with each death: what killed it may be over by then
SILENT_SECONDS = 6.0  # a process that has missed two heartbeats is gone
RENEWED_SECONDS = 1.0  # what lies between renewing leases and saying so, at the most

Rows = Sequence[Row[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Burial:
    """What died with the process that owned it, or (`lives`) with one of its threads.

    Ids of feeds: `suspects` died together, `counted` died alone, `set_aside` once too often. Ids of
    events: `events` died, `dead` once too often.
    """

    owner: str
    lives: bool
    suspects: tuple[int, ...] = ()
    counted: int | None = None
    set_aside: int | None = None
    events: tuple[str, ...] = ()
    dead: tuple[str, ...] = ()


def any_ended(session: Session, now: float) -> bool:
    """Has a lease ended by itself? Two looks into indexes of what is leased."""
    return any(_owners(session, table, now, at_most=1) for table in (Feed, Event))


def bury(session: Session, now: float) -> list[Burial]:
    """Look into every lease that ended by itself: who died, with whom, and how often.

    Nobody holds them afterwards. Of two who look at the same time the second finds nothing.
    """
    owners = _owners(session, Feed, now) | _owners(session, Event, now)
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
        lives = seen.get(owner, 0.0) > now - SILENT_SECONDS
        if lives:
            theirs, events = _given_up(theirs, events, seen[owner], now)
        if any(row.lease_until <= now for row in (*theirs, *events)):
            found.append(_bury(session, owner, theirs, events, lives=lives, now=now))
    return found


def _owners(
    session: Session, table: type[Feed | Event], now: float, *, at_most: int | None = None
) -> set[str]:
    rows = session.connection().execute(
        select(col(table.lease_owner))
        .where(col(table.lease_owner).is_not(None), col(table.lease_until) <= now)
        .limit(at_most)
    )
    return {owner for owner in rows.scalars() if owner is not None}


def _held(session: Session, table: type[Feed | Event], owners: Collection[str]) -> Rows:
    """What these hold, also where the lease has not ended; locked in the order of ids."""
    columns: list[Any] = [table.id, table.lease_owner, table.lease_until]
    columns += [table.deaths, table.state]
    if table is Feed:
        columns += [Feed.suspect, Feed.reason]
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
    # What is set aside, or paused by a person, was held for a look at its goal only.
    tried = [row for row in held if resting.is_claimable(row.state, row.reason)]
    culprit = _culprit(tried, alone=len(held) + len(events) == 1)
    crowd = len(tried) >= CROWD
    new = [row for row in tried if not row.suspect]
    again = [row for row in tried if row.suspect and row.deaths == OF_A_CROWD]
    _set(session, Feed, tried, **suspicion.raised())
    _set(session, Feed, new, deaths=OF_A_CROWD if crowd else 0)
    _set(session, Feed, again, deaths=0)
    set_aside = None
    if culprit is not None:
        deaths = max(culprit.deaths, 0) + 1
        _set(session, Feed, [culprit], deaths=deaths, lease_until=_pause(culprit, deaths))
        if deaths >= MOST:
            set_aside = culprit.id
            _set_aside(session, set_aside, deaths, now)
    _set(session, Event, events, lease_owner=None)
    died = [row for row in events if row.state == EventState.RECEIVED]
    for row in died:
        until = _pause(row, row.deaths + 1)
        _set(session, Event, [row], deaths=row.deaths + 1, lease_until=until)
    dead = [row for row in died if row.deaths + 1 >= MOST]
    _set(
        session,
        Event,
        dead,
        state=EventState.DEAD.value,
        finished_at=now,
        error={"code": "killed_its_worker", "message": _words(MOST, now)},
    )
    return Burial(
        owner=owner,
        lives=lives,
        suspects=tuple(row.id for row in tried if row is not culprit),
        counted=None if culprit is None else culprit.id,
        set_aside=set_aside,
        events=tuple(row.id for row in died),
        dead=tuple(row.id for row in dead),
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


def _words(deaths: int, now: float) -> str:
    last = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f"the worker died or hung {deaths} times in a row while it did nothing else, last {last}"


def _set_aside(session: Session, feed_id: int, deaths: int, now: float) -> None:
    """Nothing claims it any more; who waits for it is told, and its owner."""
    row = (
        session.connection()
        .execute(
            select(col(User.id), col(User.username), col(Goal.slug), col(Feed.label))
            .join(Goal, col(Goal.user_id) == col(User.id))
            .join(Feed, col(Feed.goal_id) == col(Goal.id))
            .where(col(Feed.id) == feed_id)
        )
        .one()
    )
    name = feed_name(row.username, row.slug, row.label)
    message = (
        f"set aside: {_words(deaths, now)}; `waggle sync {name} --preview` does the same in a "
        f"process of your own and shows how it ends, `waggle resume {name}` has it tried again"
    )
    error = {"code": resting.SET_ASIDE, "message": message}
    session.connection().execute(
        update(Feed)
        .where(col(Feed.id) == feed_id)
        .values(
            state=FeedState.FAILING.value,
            reason=resting.SET_ASIDE,
            last_error=message,
            failing_since=func.coalesce(col(Feed.failing_since), now),
            lane=Lane.BULK.value,
            lease_until=0.0,
        )
    )
    notices.raise_(
        session,
        user_id=row.id,
        subject=f"feed:{feed_id}",
        kind=resting.SET_ASIDE,
        message=message,
        now=now,
    )
    for backfill in backfills.open_for(session, [feed_id]):
        backfills.fail(session, backfill.id or 0, error=message, now=now)
    waiting = session.connection().execute(
        update(Cover)
        .where(col(Cover.feed_id) == feed_id, col(Cover.done).is_(False))
        .values(done=True)
        .returning(col(Cover.event_id))
    )
    inbox.finish(session, set(waiting.scalars()), now, error=error)
