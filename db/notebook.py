"""What was derived from the answers of sources: validators with their values, and records seen.

Both are written in one transaction by whoever read the answer. Two who read it at once write the
same rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlmodel import Session, col

from db import engine
from db.models_notebook import Sighted, Validator


@dataclass(frozen=True, slots=True)
class Validated:
    """The validators of an answer as they were sent, and what was derived from it: plain JSON."""

    etag: str | None
    last_modified: str | None
    derived: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Sighting:
    """A record by the source's own id, and when (UTC seconds) what is counted of it happened."""

    id: str
    at: float


def validated(session: Session, source_id: int, url: str) -> Validated | None:
    """What was written down of a URL last, None if nothing was."""
    row = session.get(Validator, (source_id, url))
    return None if row is None else Validated(row.etag, row.last_modified, row.derived)


def validate(session: Session, source_id: int, url: str, found: Validated, *, now: float) -> None:
    """Write down what a URL answers now, over what was there."""
    values = {
        "etag": found.etag,
        "last_modified": found.last_modified,
        "derived": found.derived,
        "seen_at": now,
    }
    insert = engine.insert(session, Validator).values(source_id=source_id, url=url, **values)
    session.connection().execute(
        insert.on_conflict_do_update(index_elements=["source_id", "url"], set_=values)
    )


def sight(
    session: Session, source_id: int, kind: str, seen: Sequence[Sighting], *, once: bool
) -> None:
    """Write down records that are not there yet.

    `once`: a record counts at the first instant that is told of it, else at each of them.
    """
    rows = [
        {
            "source_id": source_id,
            "kind": kind,
            "record": one.id,
            "mark": 0.0 if once else one.at,
            "at": one.at,
        }
        # In one order: two who write the same rows must not wait for each other.
        for one in sorted(set(seen), key=lambda one: (one.id, one.at))
    ]
    if rows:
        insert = engine.insert(session, Sighted).on_conflict_do_nothing()
        session.connection().execute(insert, rows)


def count(session: Session, source_id: int, kind: str, starts_at: float, ends_at: float) -> int:
    """How many records of a kind have an instant in this time, the end excluded."""
    found = session.connection().execute(
        select(func.count(col(Sighted.record).distinct())).where(
            col(Sighted.source_id) == source_id,
            col(Sighted.kind) == kind,
            col(Sighted.at) >= starts_at,
            col(Sighted.at) < ends_at,
        )
    )
    return found.scalar_one()
