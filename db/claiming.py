"""Claiming feeds: which of those that are due a worker takes, and in which order.

A claim is one conditional UPDATE over the due feeds of one source. It takes a lease, raises the
fencing epoch, and stamps in the same transaction the events that are waiting for these feeds: only
what the claim saw is answered by it.

What could not be asked anyway is passed over, and stays due: feeds behind a gate that is closed or
whose slots are all taken, and feeds that wait for the probe of a breaker. So work is not taken only
to be put back, and nobody stands in the way of those who may go. Urgent feeds go first; while a
gate is crowded the sources that share it take turns, so that a person with five hundred feeds does
not keep one with a single feed waiting.
"""

from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import Any

from sqlalchemy import Float, Update, and_, bindparam, exists, func, select, update
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import Session, col

from db import breakers, covers, once, resting, spans
from db.claiming_gates import held_up
from db.feeds import BATCH, LEASE_SECONDS, Claim
from db.models import Feed, Source
from db.models_limits import Quota
from db.models_points import Datapoint
from db.once import Once
from db.states import DatapointState, Lane, Work

# Workers ask all the time, and to make these statements costs more than to ask with them: each is
# made once, and `now` is given when it is sent.
NOW: Any = bindparam("now", type_=Float())
LOOKED_AT = 10_000  # due feeds, to know of how many sources they are
CROWDED_BATCH = 5  # feeds that are taken together while others wait for the same gate


def due(
    now: float, lane: Lane, *, alone: bool = False, exactly: bool = False
) -> ColumnElement[bool]:
    """Feeds that a worker of this lane may claim now; `alone`: of those that run alone.

    `exactly`: of this lane, and of none that is better.
    """
    return and_(_wanted(now, lane, alone=alone, exactly=exactly), ~breakers.blocked(now))


@lru_cache(maxsize=16)  # asked several times at one instant, and costly to put together
def _wanted(now: float, lane: Lane, *, alone: bool, exactly: bool = False) -> ColumnElement[bool]:
    exactly |= lane == min(Lane)
    return and_(
        resting.claimable(),
        col(Feed.lane) == lane.value if exactly else col(Feed.lane) <= lane.value,
        spans.past(col(Feed.due_at), now),
        free(now),
        clear(now, alone=alone, lane=lane if exactly else None),
    )


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


def claim(
    session: Session,
    *,
    owner: str,
    now: float,
    lane: Lane,
    limit: int = BATCH,
    together: Mapping[str, int] | None = None,
    alone: bool = False,
) -> list[Claim]:
    """Lease the due feeds of the source whose turn it is; an empty list when nothing is due.

    The best lane goes first, then the longest due. `limit` bounds how many feeds of that source
    are taken together, `together` does so by the name of its provider. `alone`: a single one of
    those that run alone, or those of a source that died in a crowd.
    """
    asked = _next_due(lane, alone=alone)
    first = asked.ask(session, {"now": now}).one_or_none()
    if first is None:
        return []
    source_id, user_id = first.source_id, first.user_id
    limit = min(limit, (together or {}).get(first.provider, limit))
    if first.crowded:
        # What is less urgent waits, also that of the same source.
        limit, lane = min(limit, CROWDED_BATCH), Lane(first.lane)
        turn = _whose_turn(session, first.quota_key, lane, now, alone=alone)
        source_id, user_id = turn or (source_id, user_id)
    urgent = first.lane == Lane.URGENT
    if first.any_open and not breakers.admit(
        session, source_id=source_id, user_id=user_id, now=now, urgent=urgent
    ):
        return []
    given = {"now": now, "of_source": source_id, "owner": owner, "at_most": limit}
    claims = []
    if alone and first.deaths < 0:  # those that died in a crowd are tried with their source's
        crowd = given | {"died": first.deaths}
        claims = _taken(session, _taking_due(lane, alone=alone, crowd=True), crowd)
    if not claims:
        given["at_most"] = 1 if alone else limit
        claims = _taken(session, _taking_due(lane, alone=alone, crowd=False), given)
    # Few that were taken while nobody waited are less than a turn, and most claims are that.
    if first.crowded or (first.quota_key is not None and len(claims) > CROWDED_BATCH):
        _had_its_turn(session, source_id, now)
    return claims


def any_due(session: Session, lane: Lane, now: float, *, alone: bool = False) -> bool:
    """Is there anything that `claim` may take? A look that keeps nobody from writing."""
    asked = _next_due(lane, alone=alone)
    return asked.ask(session, {"now": now}).first() is not None


@cache
def _next_due(lane: Lane, *, alone: bool) -> Once:
    """What `claim` looks for, and what may be in its way.

    `crowded`: does whoever comes to its gate have to wait for others?
    """
    crowded = select(col(Quota.next_free_at) - col(Quota.tolerance) > NOW).where(
        col(Quota.key) == col(Source.quota_key)
    )
    if alone:
        first = _first_of(due(NOW, lane, alone=True), alone=True)
    else:
        first, *others = firsts(lane)
        if others:  # no further than to the first lane that has any
            first = func.coalesce(first, *others)
    return Once(
        select(
            col(Feed.source_id),
            col(Feed.lane),
            col(Feed.deaths),
            col(Source.provider),
            col(Source.quota_key),
            col(Source.user_id),
            crowded.correlate(Source).scalar_subquery().label("crowded"),
            breakers.any_open().label("any_open"),
        )
        .join(Source, col(Source.id) == col(Feed.source_id))
        .where(col(Feed.id) == first)
    )


def firsts(lane: Lane) -> Sequence[ColumnElement[int | None]]:
    """The feed that is due first at `NOW` in each lane from the best to this one, or NULL.

    Lane by lane: of several at once an index finds those that are due only by going through all.
    """
    return [_first_of(due(NOW, each, exactly=True)) for each in Lane if each <= lane]


def _first_of(wanted: ColumnElement[bool], *, alone: bool = False) -> ColumnElement[int | None]:
    asked = select(col(Feed.id)).where(wanted).order_by(*_first(alone=alone)).limit(1)
    return asked.correlate(None).scalar_subquery()


@cache
def _taking_due(lane: Lane, *, alone: bool, crowd: bool) -> Once:
    """And what it takes, without a look at breakers: the turn of a probe has just been taken."""
    wanted = and_(
        col(Feed.source_id) == bindparam("of_source"),
        _wanted(NOW, lane, alone=alone),
        *([col(Feed.deaths) == bindparam("died")] if crowd else []),
    )
    return Once(_taking(wanted, Work.SYNC, alone=alone and not crowd))


def _first(*, alone: bool) -> list[Any]:
    """What goes first: of those that run alone the ones that have killed nobody by themselves."""
    order: list[Any] = [col(Feed.lane), col(Feed.due_at)]
    return [col(Feed.deaths), *order] if alone else order


def _whose_turn(
    session: Session, key: str, lane: Lane, now: float, *, alone: bool
) -> tuple[int, int] | None:
    """Of the sources behind this gate with feeds due, the one that was served longest ago.

    None: others have taken all of them by now.
    """
    asked = _next_source(lane, alone=alone)
    row = asked.ask(session, {"of_key": key, "now": now}).one_or_none()
    return None if row is None else (row.id, row.user_id)


@cache
def _next_source(lane: Lane, *, alone: bool) -> Once:
    theirs = exists().where(col(Feed.source_id) == col(Source.id), due(NOW, lane, alone=alone))
    return Once(
        select(col(Source.id), col(Source.user_id))
        .where(col(Source.quota_key) == bindparam("of_key"), theirs.correlate(Source))
        .order_by(col(Source.turn_at), col(Source.id))
        .limit(1)
    )


_FREE_SOURCE = (
    select(col(Source.id))
    .where(col(Source.id) == bindparam("of_source"))
    .with_for_update(skip_locked=True)
)
_HAD_ITS_TURN = Once(update(Source).where(col(Source.id).in_(_FREE_SOURCE)).values(turn_at=NOW))


def _had_its_turn(session: Session, source_id: int, now: float) -> None:
    """Not if somebody else holds the row: they may wait for the feeds that are locked here."""
    _HAD_ITS_TURN.ask(session, {"of_source": source_id, "now": now})


def claim_outbox(
    session: Session, *, owner: str, now: float, limit: int = BATCH, alone: bool = False
) -> list[Claim]:
    """Lease feeds that have datapoints to push although their own time has not come."""
    waiting = _waiting(now, alone=alone)
    return take_of_one(
        session, waiting, owner, now, limit, work=Work.PUSH, at_source=False, alone=alone
    )


def has_outbox(
    session: Session, now: float, *, alone: bool = False, since: float | None = None
) -> bool:
    """Is there such a feed? `since`: one whose datapoints have waited since then."""
    given = {"due_by": now if since is None else since}
    if _ANY_PENDING.ask(session, given).first() is None:
        return False  # as nearly always
    return _any_outbox(alone=alone).ask(session, given | {"now": now}).first() is not None


_DUE_BY: Any = bindparam("due_by", type_=Float())
_ANY_PENDING = Once(
    select(col(Datapoint.id))
    .where(
        col(Datapoint.state) == DatapointState.PENDING, spans.past(col(Datapoint.due_at), _DUE_BY)
    )
    .limit(1)
)


@cache
def _any_outbox(*, alone: bool) -> Once:
    waiting = and_(
        _waiting(NOW, alone=alone, due_by=_DUE_BY),
        ~breakers.blocked(NOW, at_source=False),
    )
    return Once(select(col(Feed.id)).where(waiting).limit(1))


def _waiting(now: float, *, alone: bool, due_by: Any = None) -> ColumnElement[bool]:  # noqa: ANN401 -- a time or a place for one
    # Not the other way round: of all feeds few have any.
    to_push = select(col(Datapoint.feed_id)).where(
        col(Datapoint.state) == DatapointState.PENDING,
        spans.past(col(Datapoint.due_at), now if due_by is None else due_by),
    )
    return and_(
        resting.running(),
        free(now),
        col(Feed.due_at) > now,  # feeds that are due themselves push what waits when they sync
        col(Feed.restored).is_(False),  # only a sync looks first
        col(Feed.id).in_(to_push),
        clear(now, at_source=False, alone=alone),
    )


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
            .order_by(*_first(alone=alone))
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
    return _taken(session, _taking(where, work, alone=alone), given)


def _taking(where: ColumnElement[bool], work: Work, *, alone: bool) -> Update:
    chosen = (
        select(col(Feed.id))
        .where(where)
        .order_by(*_first(alone=alone))
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


def _taken(session: Session, taking: Once | Update, given: dict[str, Any]) -> list[Claim]:
    rows = once.ask(session, taking, given).all()
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


def due_sources(session: Session, lane: Lane, now: float, *, at_most: int) -> int:
    """How many sources have feeds due in exactly this lane; counts no further than `at_most`.

    Of more than `LOOKED_AT` feeds it sees only those that are due longest.
    """
    given = {"now": now, "at_most": at_most}
    found: int = _due_sources(lane).ask(session, given).scalar_one()
    return found


@cache
def _due_sources(lane: Lane) -> Once:
    first = (
        select(col(Feed.source_id))
        .where(due(NOW, lane, exactly=True))
        .order_by(col(Feed.due_at))
        .limit(LOOKED_AT)
        .subquery()
    )
    distinct = select(first.c.source_id).distinct().limit(bindparam("at_most")).subquery()
    return Once(select(func.count()).select_from(distinct))
