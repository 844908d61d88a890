"""Taking feeds: the lease and the epoch of a claim, whatever it is for (`db.claiming` and others).

One conditional UPDATE takes a lease, raises the fencing epoch, and stamps in the same transaction
the events that are waiting for these feeds: only what the claim saw is answered by it.
"""

from typing import Any

from sqlalchemy import Float, Update, and_, bindparam, select, update
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import Session, col

from db import breakers, covers, once
from db.claiming_gates import held_up
from db.feeds import LEASE_SECONDS, Claim
from db.models import Feed, Source
from db.once import Once
from db.states import Lane, Work

# Workers ask all the time, and to make these statements costs more than to ask with them: each is
# made once, and `now` is given when it is sent.
NOW: Any = bindparam("now", type_=Float())


def free(now: float) -> ColumnElement[bool]:
    """Feeds that nobody holds. A lease that ended by itself is looked into first (`db.deaths`)."""
    return and_(col(Feed.lease_owner).is_(None), col(Feed.lease_until) <= now)


def clear(
    now: float, *, at_source: bool = True, alone: bool = False, lane: Lane | None = None
) -> ColumnElement[bool]:
    """Feeds that nothing outside holds up: no gate of theirs is closed or full, at Beeminder or
    (unless it is not asked) at their source. Those that run `alone` (`db.suspects`), or the others.
    `lane`: all of them are known to be of this one.
    """
    return and_(col(Feed.suspect).is_(alone), ~held_up(now, at_source=at_source, lane=lane))


def order(*, alone: bool) -> list[Any]:
    """What goes first: of those that run alone the ones that have killed nobody by themselves."""
    usual: list[Any] = [col(Feed.lane), col(Feed.due_at)]
    return [col(Feed.deaths), *usual] if alone else usual


def take_of_one(
    session: Session,
    where: ColumnElement[bool],
    owner: str,
    now: float,
    limit: int,
    *,
    work: Work,
    at_source: bool = True,
    alone: bool = False,
) -> list[Claim]:
    """`take` feeds of one source that no breaker holds up, or whose turn it is to probe.

    `at_source`: whether the work asks the source; else only the owner's link matters.
    """
    first = (
        session.connection()
        .execute(
            select(col(Feed.source_id), col(Feed.lane), col(Source.user_id))
            .join(Source, col(Source.id) == col(Feed.source_id))
            .where(where, ~breakers.blocked(now, at_source=at_source))
            .order_by(*order(alone=alone))
            .limit(1)
        )
        .one_or_none()
    )
    if first is None or not breakers.admit(
        session,
        source_id=first.source_id if at_source else None,
        user_id=first.user_id,
        now=now,
        urgent=first.lane == Lane.URGENT,
    ):
        return []
    # Without a look at breakers: the turn of a probe has just been taken.
    theirs = and_(where, col(Feed.source_id) == first.source_id)
    return take(session, theirs, owner, now, limit, work=work, alone=alone)


def take(
    session: Session,
    where: ColumnElement[bool],
    owner: str,
    now: float,
    limit: int,
    *,
    work: Work,
    alone: bool = False,
) -> list[Claim]:
    """Lease the feeds for which this holds, for this work; those that are leased are left.

    `alone`: never more than one.
    """
    given = {"now": now, "owner": owner, "at_most": 1 if alone else limit}
    return taken(session, leasing(where, work, alone=alone), given)


def leasing(where: ColumnElement[bool], work: Work, *, alone: bool) -> Update:
    """Lease as many of these as `at_most` at `NOW`, for this `owner`; `taken` asks it."""
    chosen = (
        select(col(Feed.id))
        .where(where)
        .order_by(*order(alone=alone))
        .limit(bindparam("at_most"))
        .with_for_update(skip_locked=True, key_share=True)
        .cte("chosen")  # PostgreSQL would run a subquery once per row, and pass the limit
    )
    return (
        update(Feed)
        .where(col(Feed.id).in_(select(chosen.c.id)), free(NOW))
        .values(
            lease_owner=bindparam("owner"),
            lease_until=NOW + LEASE_SECONDS,
            epoch=col(Feed.epoch) + 1,
            work=work.value,
        )
        .returning(
            col(Feed.id), col(Feed.source_id), col(Feed.epoch), col(Feed.asked), col(Feed.lane)
        )
    )


def taken(session: Session, asked: Once | Update, given: dict[str, Any]) -> list[Claim]:
    """What a `leasing` has taken; the events that wait for it are stamped."""
    rows = once.ask(session, asked, given).all()
    asking = covers.stamp(session, [row.id for row in rows]) if rows else {}
    return [
        Claim(
            row.id,
            row.source_id,
            row.epoch,
            row.asked,
            given["owner"],
            Lane(row.lane),
            asking.get(row.id, ()),
        )
        for row in rows
    ]
