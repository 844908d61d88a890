"""Errands: what a page asks of a vendor, done by a worker while the page looks in now and then.

A claim takes a lease that is longer than an errand may last, and raises the epoch; whatever ends a
claim names its epoch, so a worker that slept through its lease changes nothing. A lease that ended
by itself is a death: such an errand is tried again alone, like any suspect (`db.suspects`). Nobody
waits for a page for long: an errand that has not ended in two minutes is given up and says so.
"""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Float, and_, bindparam, func, select, update
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import Session, col
from sqlmodel import select as select_rows
from sqlmodel.sql.expression import SelectOfScalar

from db import engine, inbox, leasing
from db.models_pages import Errand
from db.once import Once
from db.one_or_many import fixed
from db.states import ErrandKind, ErrandState

LEASE_SECONDS = 30.0  # longer than the deadline of one errand
LIFE_SECONDS = 120.0
MOST_WAITING = 12  # of one person: more than anybody has pages open
MOST_TRIES = 4
# While versions run side by side a newer page may ask for what only newer workers can do.
KNOWN = fixed(col(Errand.kind), [kind.value for kind in ErrandKind])


class TooManyError(Exception):
    """So many of this person's errands wait that no more are taken."""


@dataclass(frozen=True, slots=True)
class Held:
    """A leased errand; `epoch` fences off whoever held it before."""

    errand: Errand
    epoch: int
    owner: str


def key_of(
    kind: ErrandKind,
    *,
    source_id: int | None = None,
    goal_id: int | None = None,
    params: Mapping[str, Any] | None = None,
) -> str:
    """What tells one question of a person from another."""
    facts = json.dumps([kind.value, source_id, goal_id, params or {}], sort_keys=True)
    return f"{kind.value}-{hashlib.sha256(facts.encode()).hexdigest()[:32]}"


def ask(
    session: Session,
    kind: ErrandKind,
    *,
    user_id: int,
    now: float,
    source_id: int | None = None,
    goal_id: int | None = None,
    params: Mapping[str, Any] | None = None,
) -> Errand:
    """The errand that waits for just this, made if there is none. Raises `TooManyError`."""
    key = key_of(kind, source_id=source_id, goal_id=goal_id, params=params)
    waiting = and_(col(Errand.user_id) == user_id, col(Errand.state) == ErrandState.WAITING.value)
    mine = select_rows(Errand).where(waiting, col(Errand.key) == key)
    found = session.exec(mine).first()
    if found is not None:
        return found
    count = session.connection().execute(select(func.count()).where(waiting)).scalar_one()
    if count >= MOST_WAITING:
        raise TooManyError
    new = inbox.new_id(now)
    session.connection().execute(
        engine.insert(session, Errand)
        .values(
            id=new,
            kind=kind.value,
            key=key,
            user_id=user_id,
            source_id=source_id,
            goal_id=goal_id,
            params=dict(params or {}),
            state=ErrandState.WAITING.value,
            attempts=0,
            deferrals=0,
            due_at=now,
            lease_until=0.0,
            epoch=0,
            asked_at=now,
            ends_at=now + LIFE_SECONDS,
        )
        .on_conflict_do_nothing()
    )
    # Another request of the same page may have been faster, and its errand may be done.
    made = session.get(Errand, new)
    return session.exec(_newest(user_id, key)).one() if made is None else made


def newest(session: Session, user_id: int, key: str) -> Errand | None:
    """The last errand of this person about just this (`key_of`), whatever became of it."""
    return session.exec(_newest(user_id, key)).first()


def recent(
    session: Session, user_id: int, kinds: Collection[ErrandKind], *, since: float
) -> list[Errand]:
    """A person's errands of these kinds, the newest first."""
    return list(
        session.exec(
            select_rows(Errand)
            .where(
                col(Errand.user_id) == user_id,
                col(Errand.kind).in_(kinds),
                col(Errand.asked_at) >= since,
            )
            .order_by(col(Errand.asked_at).desc(), col(Errand.id).desc())
            .limit(50)
        )
    )


def any_due(session: Session, now: float, *, alone: bool = False) -> bool:
    """Does one wait? `alone`: one at which a worker has died."""
    found = _any_due(alone=alone).ask(session, {"now": now})
    return found.first() is not None


@cache  # each sweep asks
def _any_due(*, alone: bool) -> Once:
    now: Any = bindparam("now", type_=Float())
    return Once(select(col(Errand.id)).where(_due(now, alone=alone)).limit(1))


def claim(session: Session, *, owner: str, now: float, alone: bool = False) -> Held | None:
    """Lease the one that has waited longest, or None."""
    found = leasing.first(
        session,
        Errand,
        _due(now, alone=alone),
        col(Errand.due_at),
        col(Errand.id),
        owner=owner,
        until=now + LEASE_SECONDS,
    )
    return None if found is None else Held(*found, owner)


def mine(session: Session, held: Held) -> bool:
    """Is it still this worker's? Locks the row: what is written with it in one transaction counts
    only then.
    """
    found = session.connection().execute(
        select(col(Errand.id)).where(_mine(held)).with_for_update()
    )
    return found.first() is not None


def finish(session: Session, held: Held, answer: Mapping[str, Any], now: float) -> bool:
    """It is done; False when somebody else has it by now."""
    return _end(session, held, state=ErrandState.DONE.value, answer=dict(answer), ended_at=now)


def fail(session: Session, held: Held, error: str, now: float) -> bool:
    """It can't be done: `error` says why, and what to do."""
    return _end(session, held, state=ErrandState.FAILED.value, error=error, ended_at=now)


def put_back(
    session: Session,
    held: Held,
    *,
    due_at: float,
    error: str,
    deferred: bool = False,
    ends_at: float | None = None,
) -> bool:
    """Not now: again at `due_at`. `deferred`: a limit says so, which costs no attempt.

    `ends_at`: when it is given up, where that is later because of it.
    """
    values: dict[str, Any] = {"due_at": due_at, "error": error}
    if deferred:
        values |= {
            "attempts": col(Errand.attempts) - 1,
            "deferrals": col(Errand.deferrals) + 1,
        }
    if ends_at is not None:
        values["ends_at"] = ends_at
    return _end(session, held, **values)


def hand_back(session: Session, *, owner: str) -> int:
    """End every lease of a worker that stops: nobody died, and somebody else goes on."""
    changed = session.connection().execute(
        update(Errand)
        .where(col(Errand.lease_owner) == owner)
        .values(
            lease_owner=None,
            lease_until=0.0,
            epoch=col(Errand.epoch) + 1,
            attempts=col(Errand.attempts) - 1,
        )
    )
    return changed.rowcount


def _newest(user_id: int, key: str) -> SelectOfScalar[Errand]:
    return (
        select_rows(Errand)
        .where(col(Errand.user_id) == user_id, col(Errand.key) == key)
        .order_by(col(Errand.asked_at).desc(), col(Errand.id).desc())
        .limit(1)
    )


def _due(now: float, *, alone: bool) -> ColumnElement[bool]:
    free = (
        and_(col(Errand.lease_owner).is_not(None), col(Errand.lease_until) <= now)
        if alone
        else col(Errand.lease_owner).is_(None)
    )
    return and_(
        col(Errand.state) == ErrandState.WAITING.value,
        KNOWN,
        col(Errand.due_at) <= now,
        col(Errand.ends_at) > now,
        col(Errand.attempts) < MOST_TRIES,
        free,
    )


def _mine(held: Held) -> ColumnElement[bool]:
    return and_(
        col(Errand.id) == held.errand.id,
        col(Errand.epoch) == held.epoch,
        col(Errand.lease_owner) == held.owner,
    )


def _end(session: Session, held: Held, **values: Any) -> bool:
    changed = session.connection().execute(
        update(Errand).where(_mine(held)).values(lease_owner=None, lease_until=0.0, **values)
    )
    return changed.rowcount == 1
