"""Scheduled work that waits: many feeds of people whom no callback names.

Each of the crowd who waits has a hundred feeds on one goal: copies of the one that was declared,
written in bulk. To declare ten thousand is not what is measured. Nor is what a server is left with
when the time of so many is changed at once: a schedule comes by itself, without a write. So tables
are tidied after that, as they are once a minute.
"""

import time
from typing import Any

from sqlalchemy import func, insert, select, update
from sqlmodel import SQLModel, col

from bench.crowd import Crowd
from db import tidying
from db.engine import Ledger
from db.models import Feed, Goal, User
from db.states import Lane

EACH = 100
LABEL = "waiting"
FAR = 1e12  # not due before it is told to


def add(ledger: Ledger, world: Crowd) -> None:
    """Make the feeds of those who wait; the declared one of each is one of the hundred."""
    first = world.people + world.waiting
    with ledger.write() as session:
        called = {f"bench{person}" for person in range(world.people)}
        of_them = (
            select(SQLModel.metadata.tables["feed"])
            .join(Goal, col(Goal.id) == col(Feed.goal_id))
            .join(User, col(User.id) == col(Goal.user_id))
            .where(col(User.username).not_in(called))
        )
        rows: list[dict[str, Any]] = []
        for found in session.connection().execute(of_them).mappings():
            plain = {name: value for name, value in found.items() if name != "id"}
            for number in range(1, EACH):
                job = first + len(rows)
                rows.append(
                    {**plain, "label": f"{LABEL}{number}", "params": {"job": job}, "due_at": FAR}
                )
        if rows:
            session.connection().execute(insert(Feed), rows)
    tidying.tidy(ledger, *SQLModel.metadata.tables)


def fall_due(ledger: Ledger) -> None:
    """The schedule of all of them has come."""
    _set(ledger, due_at=time.time(), lane=Lane.BULK.value)


def rest(ledger: Ledger) -> None:
    """None of them is due, until the schedule of all has come again."""
    _set(ledger, due_at=FAR)


def _set(ledger: Ledger, **values: object) -> None:
    """Of all but those that somebody has locked: to wait for them may be a deadlock."""
    free = (
        select(col(Feed.id))
        .where(col(Feed.label).startswith(LABEL))
        .with_for_update(skip_locked=True)
        .cte("free")
    )
    with ledger.write() as session:
        session.connection().execute(
            update(Feed).where(col(Feed.id).in_(select(free.c.id))).values(**values)
        )
    tidying.tidy(ledger, Feed.__tablename__)


def due(ledger: Ledger) -> int:
    """How many of them wait."""
    with ledger.read() as session:
        waiting = col(Feed.label).startswith(LABEL) & (col(Feed.due_at) <= time.time())
        return session.connection().execute(select(func.count()).where(waiting)).scalar_one()


def unseen(ledger: Ledger) -> int:
    """How many feeds that were declared have not been read for the first time."""
    with ledger.read() as session:
        new = col(Feed.last_synced_at).is_(None) & (col(Feed.label) == "")
        return session.connection().execute(select(func.count()).where(new)).scalar_one()
