"""What people who watch runs are sent: their list, as JSON in one line."""

import json
from collections.abc import Collection, Sequence

from sqlalchemy import RowMapping
from sqlmodel import Session

from db import overview, runs_listed

MOST_RUNS = 50  # what a page shows at once


def read(session: Session, whose: Collection[int | None]) -> dict[int | None, str]:
    """The runs of each of these people (None: of everybody)."""
    people = [each for each in whose if each is not None]
    found: dict[int | None, str] = {}
    if people:
        by_user = runs_listed.rows_by_user(session, people, limit=MOST_RUNS)
        found |= {user_id: _text(rows) for user_id, rows in by_user.items()}
    if None in whose:
        found[None] = first(session, None)
    return found


def first(session: Session, whose: int | None) -> str:
    """The runs of this person (None: of everybody) as they are sent: JSON in one line."""
    return _text(runs_listed.rows(session, limit=MOST_RUNS, user_id=whose, running_first=True))


def _text(rows: Sequence[RowMapping]) -> str:
    return json.dumps([overview.run(row) for row in rows], separators=(",", ":"))
