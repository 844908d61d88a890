"""A ledger with hundreds of thousands of feeds that are not due, written in bulk.

Twenty feeds a source and a goal, a hundred a person; each has a day and a datapoint that landed.
None of them is called: they are only in the way.
"""

import itertools
from collections.abc import Iterator
from typing import Any

from sqlalchemy import func, insert, select, update
from sqlmodel import Session, SQLModel, col

from db.engine import Ledger
from db.models import Feed, Goal, Source, User
from db.models_points import Datapoint, Day
from db.states import DatapointState, Lane

AT_ONCE = 10_000
FIRST = 10_000_000  # ids above those that anybody declares
OF_SOURCE, OF_PERSON = 20, 100
DAY = 86400.0


def fill(ledger: Ledger, *, feeds: int, now: float) -> None:
    """Add so many feeds, due within the next day but not within the next hour."""
    with ledger.write() as session:
        people = range(-(-feeds // OF_PERSON))
        sources = range(-(-feeds // OF_SOURCE))
        for table, rows in (
            (User, (_user(number, now) for number in people)),
            (Source, (_source(number, now) for number in sources)),
            (Goal, (_goal(number, now) for number in sources)),
            (Feed, (_feed(number, now) for number in range(feeds))),
            (Day, (_day(number, now) for number in range(feeds))),
            (Datapoint, (_point(number, now) for number in range(feeds))),
        ):
            _write(session, table, rows)
        # PostgreSQL plans by what it knows of the tables, and autovacuum comes a minute later.
        session.connection().exec_driver_sql("ANALYZE")


def fall_due(ledger: Ledger, *, feeds: int, now: float) -> None:
    """So many of them, of as many sources as may be, are due now by their schedule."""
    with ledger.write() as session:
        connection = session.connection()
        added = select(func.count()).select_from(Feed).where(col(Feed.id) >= FIRST)
        step = connection.execute(added).scalar_one() // feeds
        ids = [FIRST + number * step for number in range(feeds)]
        for at in range(0, feeds, 500):
            some = col(Feed.id).in_(ids[at : at + 500])
            connection.execute(update(Feed).where(some).values(due_at=now - 1.0))


def _write(session: Session, table: type[SQLModel], rows: Iterator[dict[str, Any]]) -> None:
    while some := list(itertools.islice(rows, AT_ONCE)):
        session.connection().execute(insert(table), some)


def _user(number: int, now: float) -> dict[str, Any]:
    return {
        "id": FIRST + number,
        "username": f"filler{number}",
        "beeminder_id": f"filler-{number}",
        "timezone": "UTC",
        "facts_at": now,
        "created_at": now,
    }


def _source(number: int, now: float) -> dict[str, Any]:
    return {
        "id": FIRST + number,
        "user_id": FIRST + number * OF_SOURCE // OF_PERSON,
        "name": f"plant{number}",
        "provider": "bemserver",
        "settings": {"url": "http://127.0.0.1:9/api/v0", "email": f"filler{number}@example.org"},
        "quota_key": f"bemserver:filler-{number}",
        "created_at": now,
    }


def _goal(number: int, now: float) -> dict[str, Any]:
    return {
        "id": FIRST + number,
        "user_id": FIRST + number * OF_SOURCE // OF_PERSON,
        "beeminder_id": f"filler-goal-{number}",
        "slug": f"filler{number}",
        "declared_slug": f"filler{number}",
        "kyoom": True,
        "aggday": "sum",
        "facts_at": now,
        "created_at": now,
    }


def _feed(number: int, now: float) -> dict[str, Any]:
    return {
        "id": FIRST + number,
        "goal_id": FIRST + number // OF_SOURCE,
        "source_id": FIRST + number // OF_SOURCE,
        "label": f"series{number % OF_SOURCE}",
        "metric": "timeseries_aggregate",
        "params": {"timeseries": number, "aggregation": "sum"},
        "options": {},
        "cursor": {},
        "lane": Lane.BULK.value,
        "due_at": now + 3600.0 + number * 37 % int(DAY - 3600.0),
        "reconciled_at": now,
        "last_synced_at": now - 60.0,
        "created_at": now,
    }


def _day(number: int, now: float) -> dict[str, Any]:
    return {
        "feed_id": FIRST + number,
        "daystamp": "20260101",
        "starts_at": now - DAY,
        "ends_at": now,
        "value": 1.0,
        "seen_at": now,
    }


def _point(number: int, now: float) -> dict[str, Any]:
    return {
        "id": FIRST + number,
        "goal_id": FIRST + number // OF_SOURCE,
        "feed_id": FIRST + number,
        "requestid": f"wg-filler-{number}",
        "daystamp": "20260101",
        "value": 1.0,
        "state": DatapointState.LANDED.value,
        "landed_value": 1.0,
        "landed_at": now - DAY * 2,
        "created_at": now,
    }
