"""Runs that are to be followed: where they are looked for and when, and a row for each."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Float, bindparam, exists, select, update
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import Session, col

from db import engine, resting
from db.models import Feed, Source
from db.models_runs import Run
from db.once import Once
from db.states import SourceState


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A run that runs, and whose it is: of a connector, or where that is None of a pipeline."""

    project: str | None
    connector: str | None
    pipeline: str | None
    run_id: str
    started_at: float | None = None
    by_hand: bool = False


def find(session: Session, source_id: int, runs: Sequence[Found], now: float) -> int:
    """Make a row for each run that has none; how many were new. Found twice is found once."""
    made = 0
    # In one order: two who find the same runs must not wait for each other.
    for run in sorted(runs, key=lambda one: one.run_id):
        inserted = session.connection().execute(
            engine.insert(session, Run)
            .values(
                source_id=source_id,
                project=run.project,
                connector=run.connector,
                pipeline=run.pipeline,
                run_id=run.run_id,
                by_hand=run.by_hand,
                started_at=run.started_at,
                found_at=now,
                due_at=now,
                counters={},
            )
            .on_conflict_do_nothing()
            .returning(col(Run.id))
        )
        made += len(inserted.all())
    return made


def any_to_look_at(session: Session, provider: str, now: float) -> bool:
    """Is it the turn of a source to be looked at for runs?"""
    asked = _any_to_look_at(provider)
    return bool(asked.ask(session, {"now": now}).scalar_one())


@cache  # each sweep asks
def _any_to_look_at(provider: str) -> Once:
    now: Any = bindparam("now", type_=Float())
    return Once(select(exists().where(_due(provider, now))))


def source_to_look_at(
    session: Session, provider: str, *, now: float, again_at: float
) -> tuple[Source, list[tuple[str, str]]] | None:
    """The source whose turn it is, and whose runs count there: ("connector", id) and the like.

    The next turn is at `again_at`, whatever comes of this one. None where nobody's turn it is.
    """
    found = session.connection().execute(
        select(col(Source.id), col(Source.runs_due_at))
        .where(_due(provider, now))
        .order_by(col(Source.runs_due_at), col(Source.id))
        .limit(1)
    )
    row = found.one_or_none()
    if row is None:
        return None
    taken = session.connection().execute(
        update(Source)
        .where(col(Source.id) == row.id, col(Source.runs_due_at) == row.runs_due_at)
        .values(runs_due_at=again_at)
    )
    if taken.rowcount != 1:
        return None  # somebody else was faster
    return session.get_one(Source, row.id), places(session, row.id)


def places(session: Session, source_id: int) -> list[tuple[str, str]]:
    """Whose runs count at a source: ("connector", id) and the like."""
    rows = session.connection().execute(
        select(col(Feed.params)).where(col(Feed.source_id) == source_id, resting.running())
    )
    found = {
        (kind, str(params[kind]))
        for (params,) in rows
        for kind in ("connector", "pipeline")
        if params.get(kind)
    }
    return sorted(found)


def look_later(session: Session, source_id: int, *, at: float) -> None:
    """The next turn of a source is not before then."""
    session.connection().execute(
        update(Source)
        .where(col(Source.id) == source_id, col(Source.runs_due_at) < at)
        .values(runs_due_at=at)
    )


def _due(provider: str, now: float) -> ColumnElement[bool]:
    counting = exists().where(col(Feed.source_id) == col(Source.id), resting.running())
    return (
        (col(Source.provider) == provider)
        & (col(Source.runs_due_at) <= now)
        & (col(Source.state) == SourceState.ACTIVE)
        & counting
    )
