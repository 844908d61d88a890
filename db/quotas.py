"""Gates: when a vendor quota may be used again, over all workers and machines.

`reserve` answers with the instant at which one request may leave, and moves the next one behind
it, in one conditional UPDATE that also keeps a closed gate closed (`db.quotas_closing`). After that
the gate is half open: one request goes, and nobody else before it was answered.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    JSON,
    Float,
    Integer,
    and_,
    bindparam,
    case,
    literal,
    literal_column,
    or_,
    update,
)
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import Session, col

from db import engine, quotas_seen, spans, trail
from db.models_limits import Quota
from db.once import Once

BEEMINDER = "beeminder"
AHEAD_SECONDS = 1.0
# So long the others wait for the one that went first: longer than any request may take (20 s), or
# a second one would leave beside it. Who knows that it got no answer says so at once; only after a
# worker that died it is waited for to the end.
PROBE_SECONDS = 25.0
LOOK_AGAIN = 0.05  # whether that one was answered
IN_A_ROW = 10  # slots that urgent work takes before one is left to the others


@dataclass(frozen=True, slots=True)
class Turn:
    """When one request may go; not `granted`: when to come back and ask again.

    `probe`: it goes first after a closing, and says whether the gate is open. `free_at` is the
    theoretical arrival time of the next one, `interval` the pace that was kept to; `spread`: one at
    which the last few of a window are spread.
    """

    at: float
    granted: bool
    probe: bool = False
    free_at: float = 0.0
    interval: float = 0.0
    spread: bool = False


def ensure(
    session: Session, key: str, *, vendor: str = "", title: str = "", endpoint: str = ""
) -> None:
    """Make the gate where there is none; the words are for people."""
    session.connection().execute(
        engine.insert(session, Quota)
        .values(key=key, vendor=vendor, title=title, endpoint=endpoint, trail=[])
        .on_conflict_do_nothing()
    )


def reserve(
    session: Session,
    key: str,
    *,
    now: float,
    interval: float = 0.0,
    tolerance: float = 0.0,
    ahead: float = AHEAD_SECONDS,
    urgent: bool = False,
) -> Turn:
    """The turn of one request: one per `interval` seconds, `tolerance` seconds before time (GCRA).

    Nothing is granted behind a closed gate, nor more than `ahead` seconds from now, nor beside the
    first request after a closing. The gate has to be there (`ensure`). `urgent`: it is, at a gate
    so slow that the others have to be left a share.
    """
    given = {
        "of_key": key,
        "at": now,
        "step": interval,
        "early": tolerance,
        "until": now + tolerance + ahead,
    }
    row = _RESERVING[urgent].ask(session, given).one_or_none()
    if row is not None:
        at = max(now, float(row.next_free_at) - interval - tolerance)
        mark(session, key, row, at)
        return Turn(at, granted=True, free_at=row.next_free_at, interval=interval)
    gate = quotas_seen.look(session, key)
    if gate is None:
        message = f"the gate {key} is not there"
        raise LookupError(message)
    if gate.closed_until > now:
        return Turn(gate.closed_until, granted=False)
    if gate.proven_at < gate.closed_until:
        return _probe(session, key, now=now, interval=interval)
    return Turn(max(now, gate.next_free_at - tolerance - ahead), granted=False)


def _probe(session: Session, key: str, *, now: float, interval: float) -> Turn:
    """Be the first one through a gate that was closed, or wait for who is."""
    row = (
        session.connection()
        .execute(
            update(Quota)
            .where(
                col(Quota.key) == key,
                col(Quota.closed_until) <= now,
                ~is_proven(),
                col(Quota.probe_until) <= now,
            )
            .values(probe_until=now + PROBE_SECONDS, next_free_at=now + interval, tolerance=0.0)
            .returning(col(Quota.next_free_at))
        )
        .one_or_none()
    )
    if row is None:
        return Turn(now + LOOK_AGAIN, granted=False)
    return Turn(now, granted=True, probe=True, free_at=row.next_free_at, interval=interval)


def mark(session: Session, key: str, taken: Any, at: float, *, by: Once | None = None) -> None:  # noqa: ANN401 -- a row of `reserving`
    """Write down how many had passed by now, once a second.

    Under the lock that is held anyway, or else (`by` another statement) if nobody has come since:
    then they write it down.
    """
    marks = trail.marked(taken.trail, at, taken.passed - 1)
    if marks is None:
        return
    gone = marks[0][1]  # what passed before the trail begins is nobody's concern
    (by or _MARK).ask(
        session,
        {
            "of_key": key,
            "seen": taken.passed,
            "gone": gone,
            "marks": [(then, passed - gone) for then, passed in marks],
        },
    )


MARKING = (
    update(Quota)
    .where(
        col(Quota.key) == bindparam("of_key"),
        col(Quota.passed) == bindparam("seen", type_=Integer),
    )
    .values(
        passed=col(Quota.passed) - bindparam("gone", type_=Integer),
        trail=bindparam("marks", type_=JSON),
    )
)
_MARK = Once(MARKING)


def reserving(*fit: ColumnElement[bool], in_a_row: ColumnElement[int] | int = 0) -> Any:  # noqa: ANN401 -- an UPDATE
    """Take the next slot of a gate, if it is open and all this fits."""
    at: ColumnElement[float] = bindparam("at", type_=Float)
    step: ColumnElement[float] = bindparam("step", type_=Float)
    free = case((col(Quota.next_free_at) > at, col(Quota.next_free_at)), else_=at)
    return (
        update(Quota)
        .where(
            col(Quota.key) == bindparam("of_key"),
            col(Quota.closed_until) <= at,
            is_proven(),
            col(Quota.next_free_at) <= bindparam("until"),
            *fit,
        )
        .values(
            next_free_at=free + step,
            tolerance=bindparam("early"),
            passed=col(Quota.passed) + 1,
            urgent_in_a_row=in_a_row,
        )
        .returning(col(Quota.next_free_at), col(Quota.passed), col(Quota.trail))
    )


def pass_less(session: Session, key: str) -> None:
    """One that was counted did not go."""
    session.connection().execute(
        update(Quota)
        .where(col(Quota.key) == key, col(Quota.passed) > 0)
        .values(passed=col(Quota.passed) - 1)
    )


def was_closed(gate: type[Quota] = Quota) -> ColumnElement[bool]:
    """Was it ever closed? Said beside what is asked of its closing, as their index says it."""
    return col(gate.closed_until) > literal_column("0")


def is_proven() -> ColumnElement[bool]:
    """Has something been answered since the gate was closed last?"""
    return col(Quota.closed_until) <= col(Quota.proven_at)


# The others are owed a slot until they have had it: they may not be looking just now.
_IN_A_ROW = case(
    (col(Quota.urgent_in_a_row) < IN_A_ROW, col(Quota.urgent_in_a_row) + 1), else_=IN_A_ROW
)
_RESERVING = {True: Once(reserving(in_a_row=_IN_A_ROW)), False: Once(reserving())}


def prove(session: Session, key: str, *, now: float, turn: Turn) -> None:
    """The first request after a closing was answered: the gate is open, and counts from there."""
    session.connection().execute(
        update(Quota)
        .where(col(Quota.key) == key, col(Quota.closed_until) <= now, ~is_proven())
        .values(proven_at=now, probe_until=0.0, passed=1, trail=[(turn.at, 0)])
    )


def give_up_probe(session: Session, key: str, turn: Turn) -> None:
    """The first request after a closing got no answer: somebody else may go first.

    Unless somebody already does, because it took too long.
    """
    session.connection().execute(
        update(Quota)
        .where(col(Quota.key) == key, col(Quota.probe_until) == turn.at + PROBE_SECONDS)
        .values(probe_until=0.0)
    )


def keep_pace(session: Session, key: str, *, interval: float, window: float, now: float) -> None:
    """The vendor has named a pace itself."""
    session.connection().execute(
        update(Quota)
        .where(col(Quota.key) == key)
        .values(learned_interval=interval, learned_window=window, learned_at=now)
    )


def spread(session: Session, key: str, *, interval: float, until: float) -> None:
    """Little is left: no more than one request per `interval` seconds, `until` there is more."""
    session.connection().execute(
        update(Quota)
        .where(col(Quota.key) == key)
        .values(spread_interval=interval, spread_until=until)
    )


def end_spread(
    session: Session, key: str, *, now: float, interval: float, tolerance: float
) -> None:
    """Much is left again: the next one need not wait for longer than at the usual pace."""
    usual = case(
        (col(Quota.learned_interval) > interval, col(Quota.learned_interval)),
        else_=literal(interval),
    )
    free_at = now + tolerance + usual
    session.connection().execute(
        update(Quota)
        .where(col(Quota.key) == key, col(Quota.spread_until) > now)
        .values(
            spread_interval=0.0,
            spread_until=0.0,
            next_free_at=case(
                (col(Quota.next_free_at) > free_at, free_at), else_=col(Quota.next_free_at)
            ),
        )
    )


def correct(session: Session, key: str, *, free_at: float) -> None:
    """Others use the same account: less of it is left than we thought."""
    session.connection().execute(
        update(Quota)
        .where(col(Quota.key) == key, col(Quota.next_free_at) < free_at)
        .values(next_free_at=free_at)
    )


def full(gate: type[Quota], now: float, ahead: ColumnElement[float]) -> ColumnElement[bool]:
    """Would a request at this `gate` (the table, or an alias of it) have to wait?

    It is closed, or all slots of the next `ahead` seconds are taken. Of a half-open gate only the
    one who goes first is wanted: it is full while somebody is on the way.
    """
    proven = col(gate.closed_until) <= col(gate.proven_at)
    free_at = col(gate.next_free_at)
    return or_(
        # In the words of an index each: no `tolerance` is below 0.
        and_(was_closed(gate), spans.ahead(col(gate.closed_until), now)),
        and_(was_closed(gate), ~proven, col(gate.probe_until) > now),
        and_(
            proven, spans.ahead(free_at, now + ahead), free_at > now + col(gate.tolerance) + ahead
        ),
    )
