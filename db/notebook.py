"""What was derived from the answers of sources: validators with their values, and records seen.

Both are written in one transaction by whoever read the answer. Two who read it at once write the
same rows. Beside them stand facts: what was learned of a source by a name, and when. They are rows
of validators that nothing validates.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, delete, func, select
from sqlmodel import Session, col

from db import engine
from db.models import Source
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


@dataclass(frozen=True, slots=True)
class Learned:
    """A fact of the source, plain JSON, and when (UTC seconds) it was learned."""

    value: Any
    at: float


_FACT = "value"
_FACTS = select(col(Validator.url), col(Validator.derived), col(Validator.seen_at)).where(
    col(Validator.source_id) == bindparam("of_source"),
    col(Validator.url).in_(bindparam("names", expanding=True)),
)
_SOURCE = (
    select(col(Source.id))
    .where(col(Source.id) == bindparam("of_source"))
    .with_for_update(read=True, key_share=True)  # whoever takes it away waits until it is written
)
_STRIKE = delete(Validator).where(
    col(Validator.source_id) == bindparam("of_source"), col(Validator.url) == bindparam("name")
)


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


def learned(session: Session, source_id: int, names: Collection[str]) -> dict[str, Learned]:
    """The facts that stand under these names; what nobody has learned is left out."""
    asked = {"of_source": source_id, "names": sorted(names)}
    rows = session.connection().execute(_FACTS, asked)
    return {url: Learned(derived.get(_FACT), seen_at) for url, derived, seen_at in rows}


def learn(session: Session, source_id: int, facts: Mapping[str, Learned]) -> None:
    """Write down facts by name, over what was there; nothing of a source that is gone by now."""
    if not facts or session.connection().execute(_SOURCE, {"of_source": source_id}).first() is None:
        return
    insert = engine.insert(session, Validator)
    values = {"derived": insert.excluded.derived, "seen_at": insert.excluded.seen_at}
    session.connection().execute(
        insert.on_conflict_do_update(index_elements=["source_id", "url"], set_=values),
        [
            {
                "source_id": source_id,
                "url": name,
                "derived": {_FACT: fact.value},
                "seen_at": fact.at,
            }
            # In one order: two who learn the same must not wait for each other.
            for name, fact in sorted(facts.items(), key=lambda one: one[0])
        ],
    )


def forget(session: Session, source_id: int, names: Collection[str]) -> None:
    """Strike out what stands under these names."""
    rows = [{"of_source": source_id, "name": name} for name in sorted(names)]
    if rows:
        session.connection().execute(_STRIKE, rows)


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
