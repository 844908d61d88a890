"""What workers count: kept here because there are many of them, and each one ends.

A worker counts in its memory and writes down what has come to it every few seconds. One that is
killed takes the last of it along; the counts here only ever grow.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from sqlmodel import Session, col
from sqlmodel import select as select_rows

from db import engine
from db.models_tallies import Tally

OTHER = "other"
# What is counted, and what may become of it. A name that is not here is a mistake of ours.
OUTCOMES: Mapping[str, tuple[str, ...]] = {
    "syncs": ("fresh", "retried", "deferred", "failed", "fenced"),
    "vendor_requests": ("answered", "refused", "unanswered"),
    "deferrals": ("",),
    "token_refreshes": ("renewed", "refused", "failed"),
    "datapoints": ("landed", "rejected"),
}
# What was seen last, of which `at` counts, and `value` where it has one.
SWEEP, CANARY, DOCTOR, BACKUP = "sweep", "canary", "doctor", "backup"
CANARY_FRESH, CANARY_FAILED = "fresh", "failed"
MARKS: Mapping[str, tuple[str, ...]] = {
    SWEEP: ("",),
    DOCTOR: ("",),
    BACKUP: ("",),
    CANARY: (CANARY_FRESH, CANARY_FAILED),
}


class Key(NamedTuple):
    """What is counted, of which vendor (or ""), and what became of it (or "")."""

    name: str
    subject: str = ""
    outcome: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """The last of something: when, and how much it was."""

    at: float
    value: float = 0.0


def add(session: Session, counts: Mapping[Key, float], now: float) -> None:
    """Add these to what is there; sorted, so that nobody waits for whoever waits for them."""
    if not counts:
        return
    asked = engine.insert(session, Tally).values(
        [{**key._asdict(), "value": by, "at": now} for key, by in sorted(counts.items())]
    )
    session.connection().execute(
        asked.on_conflict_do_update(
            index_elements=["name", "subject", "outcome"],
            set_={"value": col(Tally.value) + asked.excluded.value, "at": asked.excluded.at},
        )
    )


def mark(session: Session, seen: Mapping[Key, Seen]) -> None:
    """Remember these, where nothing later is known."""
    if not seen:
        return
    asked = engine.insert(session, Tally).values(
        [
            {**key._asdict(), "value": one.value, "at": one.at}
            for key, one in sorted(seen.items(), key=lambda item: item[0])
        ]
    )
    session.connection().execute(
        asked.on_conflict_do_update(
            index_elements=["name", "subject", "outcome"],
            set_={"value": asked.excluded.value, "at": asked.excluded.at},
            where=col(Tally.at) <= asked.excluded.at,
        )
    )


def everything(session: Session) -> dict[Key, Seen]:
    """All that is known."""
    rows = session.exec(select_rows(Tally).execution_options(populate_existing=True))
    return {Key(row.name, row.subject, row.outcome): Seen(row.at, row.value) for row in rows}


def last(session: Session, key: Key) -> Seen | None:
    """The last of something; None where there was none."""
    row = session.get(Tally, tuple(key), populate_existing=True)
    return None if row is None else Seen(row.at, row.value)
