"""Claiming feeds: which of those that are due a worker takes, and in which order.

A claim takes the due feeds of one source (`db.taking`): only what it saw is answered by it.

What could not be asked anyway is passed over, and stays due: feeds behind a gate that is closed or
whose slots are all taken, and feeds that wait for the probe of a breaker. So work is not taken only
to be put back, and nobody stands in the way of those who may go. Urgent feeds go first; while a
gate is crowded the sources that share it take turns, so that a person with five hundred feeds does
not keep one with a single feed waiting.
"""

from collections.abc import Mapping, Sequence
from functools import cache, lru_cache

from sqlalchemy import and_, bindparam, exists, func, select, update
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import Session, col

from db import breakers, resting, spans, taking
from db.feeds import BATCH, Claim
from db.models import Feed, Source
from db.models_limits import Quota
from db.once import Once
from db.states import Lane, Work
from db.taking import NOW

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
        taking.free(now),
        taking.clear(now, alone=alone, lane=lane if exactly else None),
    )


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
        claims = taking.taken(session, _taking_due(lane, alone=alone, crowd=True), crowd)
    if not claims:
        given["at_most"] = 1 if alone else limit
        claims = taking.taken(session, _taking_due(lane, alone=alone, crowd=False), given)
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
    asked = select(col(Feed.id)).where(wanted).order_by(*taking.order(alone=alone)).limit(1)
    return asked.correlate(None).scalar_subquery()


@cache
def _taking_due(lane: Lane, *, alone: bool, crowd: bool) -> Once:
    """And what it takes, without a look at breakers: the turn of a probe has just been taken."""
    wanted = and_(
        col(Feed.source_id) == bindparam("of_source"),
        _wanted(NOW, lane, alone=alone),
        *([col(Feed.deaths) == bindparam("died")] if crowd else []),
    )
    return Once(taking.leasing(wanted, Work.SYNC, alone=alone and not crowd))


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
