"""Breakers: who is in trouble, and who may ask while a breaker is open.

A subject is a source (`source:<id>`) or the link of a person to Beeminder (`user:<id>`). It has a
row only while there is trouble, so a healthy one costs a look by primary key and no write. What an
outcome does to the health of a subject is decided by whoever calls `change`; here it is stored, one
change after the other for all workers and machines.

A row is locked before any feed is: whoever takes a probe's turn does so before feeds are claimed.
"""

from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass, fields
from functools import cache
from typing import Any

from sqlalchemy import (
    Exists,
    String,
    and_,
    bindparam,
    case,
    cast,
    delete,
    exists,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import Session, col

from db import engine
from db.aliases import alias
from db.models import Event, Feed, Goal, Source
from db.models_limits import Breaker
from db.once import Once
from db.states import Lane

PROBE_SECONDS = 60.0  # how long the outcome of a probe is waited for
URGENT_SECONDS = 3.0  # a callback is tried again within five, of which a sweep may take one

# Under names of their own, they are never taken for a table of the query around a condition. Named
# once: to make an alias costs more than to ask with it.
_OWNER, _BREAKER, _ANY = alias(Source), alias(Breaker), alias(Breaker)


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How a subject has done lately; the columns of `db.models_limits.Breaker`.

    The default is good health, of which nothing is stored.
    """

    good: float = 0.0
    bad: float = 0.0
    failed_for: float = 0.0
    counted_at: float = 0.0
    troubled_since: float | None = None
    opened_at: float | None = None
    reason: str | None = None
    probe_at: float = 0.0
    probed_at: float = 0.0
    probes: int = 0


WELL = Health()


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """An open breaker for people: since when, why, and when it is tried again (UTC seconds)."""

    subject: str
    troubled_since: float
    opened_at: float
    reason: str
    probe_at: float
    probes: int


def source(source_id: int) -> str:
    """The subject that a source is."""
    return f"source:{source_id}"


def link(user_id: int) -> str:
    """The subject that a person's link to Beeminder is."""
    return f"user:{user_id}"


def any_open() -> ColumnElement[bool]:
    """Is any breaker open? A condition for any query; while none is, none holds anything up."""
    return exists().where(col(_ANY.opened_at).is_not(None)).correlate(None)


def blocked(now: float, *, at_source: bool = True) -> ColumnElement[bool]:
    """Feeds that have to wait for the probe of a breaker: their source's (unless it is not asked),
    or their owner's.

    A condition for any query over feeds; whether it joins their sources does not matter. While all
    are closed it costs one look; else each row costs three, by primary key.
    """
    owner, breaker = _OWNER, _BREAKER
    of_owner = (
        select(literal("user:").concat(cast(col(owner.user_id), String)))
        .where(col(owner.id) == col(Feed.source_id))
        .correlate(Feed)
        .scalar_subquery()
    )
    of_source = literal("source:").concat(cast(col(Feed.source_id), String))
    waits = or_(
        and_(col(Feed.lane) > Lane.URGENT.value, col(breaker.probe_at) > now),
        and_(col(Feed.lane) == Lane.URGENT.value, col(breaker.probed_at) > now - URGENT_SECONDS),
    )

    def has(subject: ColumnElement[str]) -> ColumnElement[bool]:
        return (
            exists()
            .where(
                col(breaker.subject) == subject,
                col(breaker.opened_at).is_not(None),
                waits,
            )
            .correlate(Feed)
        )

    waiting = or_(has(of_source), has(of_owner)) if at_source else has(of_owner)
    return and_(any_open(), waiting)


def link_blocked(of: type[Event | Goal], now: float, *, urgent: bool) -> ColumnElement[bool]:
    """Rows of this table whose person's link waits for its probe: `blocked` for what is no feed."""
    breaker = _BREAKER
    waits = col(breaker.probed_at) > now - URGENT_SECONDS if urgent else col(breaker.probe_at) > now
    return (
        exists()
        .where(
            col(breaker.subject) == literal("user:").concat(cast(col(of.user_id), String)),
            col(breaker.opened_at).is_not(None),
            waits,
        )
        .correlate(of)
    )


def source_open() -> ColumnElement[bool]:
    """Sources whose breaker is open: a condition for any query over them."""
    return (
        exists()
        .where(
            col(_BREAKER.subject) == literal("source:").concat(cast(col(Source.id), String)),
            col(_BREAKER.opened_at).is_not(None),
        )
        .correlate(Source)
    )


def source_troubled() -> ColumnElement[bool]:
    """Sources that have been in trouble lately (see `troubled`): for any query over them."""
    return _has_row(literal("source:").concat(cast(col(Source.id), String))).correlate(Source)


def link_troubled() -> ColumnElement[bool]:
    """People whose link has been in trouble lately: the same for any query over their sources."""
    return _has_row(literal("user:").concat(cast(col(Source.user_id), String))).correlate(Source)


def _has_row(subject: ColumnElement[str]) -> Exists:
    return exists().where(col(_BREAKER.subject) == subject)


# Named once: to make a statement costs more than to ask with it, and each claim asks.
_OPEN_AMONG = (
    select(col(Breaker.subject), col(Breaker.probe_at), col(Breaker.probed_at))
    .where(
        col(Breaker.subject).in_([bindparam("person"), bindparam("account")]),
        col(Breaker.opened_at).is_not(None),
    )
    .order_by(col(Breaker.subject))
    .with_for_update()
)


@cache
def _among(count: int) -> Once:
    """A source and its owner's link, or one of them."""
    these: list[Any] = [bindparam(f"of_{number}") for number in range(count)]
    return Once(select(col(Breaker.subject)).where(col(Breaker.subject).in_(these)))


def admit(
    session: Session, *, source_id: int | None, user_id: int, now: float, urgent: bool
) -> bool:
    """May work on this source of this person begin? Where a breaker is open: is it our probe?

    Asked before feeds are locked; a yes takes the turn. False: a probe is under way, was just now,
    or is not due yet. `source_id` None: the work asks no source.
    """
    person = link(user_id)
    account = person if source_id is None else source(source_id)
    subjects = {"person": person, "account": account}
    found = session.connection().execute(_OPEN_AMONG, subjects).all()
    if not found:
        return True
    if urgent:
        free = all(row.probed_at <= now - URGENT_SECONDS for row in found)
    else:
        free = all(row.probe_at <= now for row in found)
    if free:
        patience = now + PROBE_SECONDS  # a callback's probe makes no pause shorter
        later = case((col(Breaker.probe_at) > patience, col(Breaker.probe_at)), else_=patience)
        session.connection().execute(
            update(Breaker)
            .where(col(Breaker.subject).in_([row.subject for row in found]))
            .values(probed_at=now, probe_at=later, probes=col(Breaker.probes) + 1)
        )
    return free


def probe_at(session: Session, user_id: int) -> float:
    """When scheduled work may probe this person's link again; 0.0 while its breaker is closed."""
    found = session.connection().execute(
        select(col(Breaker.probe_at)).where(
            col(Breaker.subject) == link(user_id), col(Breaker.opened_at).is_not(None)
        )
    )
    return found.scalar_one_or_none() or 0.0


def change(
    session: Session, subject: str, step: Callable[[Health], Health]
) -> tuple[Health, Health]:
    """What `step` makes of a subject's health: (before, after). Good health leaves no row."""
    before = _locked(session, subject)
    after = step(before or WELL)
    if before is None and after != WELL:
        # Somebody else may have met the same trouble at the same moment: then theirs goes first.
        _insert(session, subject)
        before = _locked(session, subject)
        if before is None:  # and was answered since
            return WELL, WELL
        after = step(before)
    if before is not None and after == WELL:
        forget(session, [subject])
    elif before is not None and after != before:
        session.connection().execute(
            update(Breaker).where(col(Breaker.subject) == subject).values(**asdict(after))
        )
    return before or WELL, after


def troubled(session: Session, subjects: Collection[str]) -> set[str]:
    """Those of these that have been in trouble lately: only for them is a success worth a write."""
    given = {f"of_{number}": subject for number, subject in enumerate(subjects)}
    return set(_among(len(given)).ask(session, given).scalars())


def is_open(session: Session, subject: str) -> bool:
    """Is this breaker open?"""
    found = session.connection().execute(
        select(col(Breaker.subject)).where(
            col(Breaker.subject) == subject, col(Breaker.opened_at).is_not(None)
        )
    )
    return found.first() is not None


def open_ones(session: Session) -> list[Open]:
    """The breakers that are open, the oldest trouble first."""
    rows = session.connection().execute(
        select(Breaker.__table__)  # type: ignore[attr-defined] # set by SQLModel
        .where(col(Breaker.opened_at).is_not(None))
        .order_by(col(Breaker.troubled_since), col(Breaker.subject))
    )
    return [
        Open(
            subject=row.subject,
            troubled_since=row.troubled_since,
            opened_at=row.opened_at,
            reason=row.reason or "",
            probe_at=row.probe_at,
            probes=row.probes,
        )
        for row in rows
    ]


def forget(session: Session, subjects: Collection[str]) -> None:
    """These are well, or gone."""
    session.connection().execute(delete(Breaker).where(col(Breaker.subject).in_(subjects)))


def forget_unused(session: Session, before: float) -> list[str]:
    """Forget those of which nothing was heard since `before`; returns the subjects."""
    gone = session.connection().execute(
        delete(Breaker)
        .where(col(Breaker.counted_at) < before, col(Breaker.probed_at) < before)
        .returning(col(Breaker.subject))
    )
    return sorted(gone.scalars())


def _locked(session: Session, subject: str) -> Health | None:
    row = (
        session.connection()
        .execute(
            select(*(getattr(Breaker, one.name) for one in fields(Health)))
            .where(col(Breaker.subject) == subject)
            .with_for_update()
        )
        .mappings()
        .one_or_none()
    )
    return None if row is None else Health(**row)


def _insert(session: Session, subject: str) -> None:
    session.connection().execute(
        engine.insert(session, Breaker)
        .values(subject=subject, **asdict(WELL))
        .on_conflict_do_nothing()
    )
