"""A ledger with hundreds of thousands of feeds that are not due, written in bulk.

Twenty feeds a source and a goal, a hundred a person, a gate for each source and each person. Each
feed has two days, each with a datapoint that landed and what was sent for it, and a callback that
was answered; half of all that is of the last 24 hours. Nobody calls them: they are only in the way.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import JSON, Connection, String, case, func, insert, literal, select, update
from sqlalchemy import cast as as_type
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import SQLModel, col

from db import inbox, tidying
from db.engine import Ledger
from db.models import Cover, Event, Feed, Goal, Source, User
from db.models_limits import Quota
from db.models_points import Datapoint, Day, Sending
from db.states import DatapointState, EventKind, EventState, Lane

FIRST = 10_000_000  # ids above those that anybody declares
OF_SOURCE, OF_PERSON, DAYS = 20, 100, 2
DAY = 86400
VENDOR = "bemserver"
STAMPS = ("20260101", "20260102")

Row = dict[str, Any]
Number = ColumnElement[int]
Ago = ColumnElement[float]
Make = Callable[[Number, float, Ago], Row]


def fill(ledger: Ledger, *, feeds: int, now: float) -> None:
    """Add so many feeds, due within the next day but not within the next hour."""
    people, sources, days = -(-feeds // OF_PERSON), -(-feeds // OF_SOURCE), feeds * DAYS
    made: tuple[tuple[type[SQLModel], int, Make], ...] = (
        (User, people, _user),
        (Source, sources, _source),
        (Quota, sources, _gate_of_source),
        (Quota, people, _gate_of_person),
        (Goal, sources, _goal),
        (Feed, feeds, _feed),
        (Day, days, _day),
        (Datapoint, days, _point),
        (Sending, days, _sending),
        (Event, feeds, _event),
        (Cover, feeds, _cover),
    )
    with ledger.write() as session:
        connection = session.connection()
        if not ledger.is_sqlite:
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        for table, count, row in made:
            _write(connection, table, count, row, now)
    tidying.tidy(ledger, *SQLModel.metadata.tables)  # as somebody does soon after so much


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


def _write(
    connection: Connection,
    table: type[SQLModel],
    count: int,
    row: Make,
    now: float,
) -> None:
    """One statement: the database makes the rows from their numbers by itself.

    The first of them are two days old, and the last are of now.
    """
    first = select(literal(0).label("number")).cte("numbers", recursive=True)
    numbers = first.union_all(select(first.c.number + 1).where(first.c.number < count - 1))
    ago = literal(2.0 * DAY) - numbers.c.number * literal(2.0 * DAY / count)
    values = {
        name: value if isinstance(value, ColumnElement) else literal(value)
        for name, value in row(numbers.c.number, now, ago).items()
    }
    connection.execute(insert(table).from_select(list(values), select(*values.values())))


def _named(words: str, number: Number) -> ColumnElement[str]:
    return literal(words).concat(as_type(number, String))


def _user(number: Number, now: float, _ago: Ago) -> Row:
    return {
        "id": FIRST + number,
        "username": _named("filler", number),
        "beeminder_id": _named("filler-", number),
        "timezone": "UTC",
        "facts_at": now,
        "created_at": now,
    }


def _source(number: Number, now: float, _ago: Ago) -> Row:
    settings = {"url": "http://127.0.0.1:9/api/v0", "email": "filler@example.org"}
    return {
        "id": FIRST + number,
        "user_id": FIRST + number * OF_SOURCE // OF_PERSON,
        "name": _named("plant", number),
        "provider": VENDOR,
        "settings": literal(settings, JSON),
        "quota_key": _named(f"{VENDOR}:filler-", number),
        "created_at": now,
    }


def _gate_of_source(number: Number, now: float, _ago: Ago) -> Row:
    return {
        "key": _named(f"{VENDOR}:filler-", number),
        "vendor": VENDOR,
        "title": "",
        "next_free_at": now - 60.0,
        "trail": literal([], JSON),
    }


def _gate_of_person(number: Number, now: float, ago: Ago) -> Row:
    return _gate_of_source(number, now, ago) | {
        "key": _named("beeminder:", FIRST + number),
        "vendor": "beeminder",
    }


def _goal(number: Number, now: float, _ago: Ago) -> Row:
    return {
        "id": FIRST + number,
        "user_id": FIRST + number * OF_SOURCE // OF_PERSON,
        "beeminder_id": _named("filler-goal-", number),
        "slug": _named("filler", number),
        "declared_slug": _named("filler", number),
        "kyoom": True,
        "aggday": "sum",
        "facts_at": now,
        "created_at": now,
    }


def _feed(number: Number, now: float, _ago: Ago) -> Row:
    return {
        "id": FIRST + number,
        "goal_id": FIRST + number // OF_SOURCE,
        "source_id": FIRST + number // OF_SOURCE,
        "label": _named("series", number % OF_SOURCE),
        "metric": "timeseries_aggregate",
        "params": literal({"timeseries": 1, "aggregation": "sum"}, JSON),
        "options": literal({}, JSON),
        "cursor": literal({}, JSON),
        "lane": Lane.BULK.value,
        "due_at": now + 3600.0 + number * 37 % (DAY - 3600),
        "reconciled_at": now,
        "last_synced_at": now - number * 37 % DAY,
        "created_at": now,
    }


def _day(number: Number, now: float, _ago: Ago) -> Row:
    return {
        "feed_id": FIRST + number // DAYS,
        "daystamp": _named(STAMPS[0][:-1], number % DAYS + 1),
        "starts_at": now - DAY,
        "ends_at": now,
        "value": 1.0,
        "seen_at": now,
    }


def _point(number: Number, now: float, ago: Ago) -> Row:
    return {
        "id": FIRST + number,
        "goal_id": FIRST + number // (OF_SOURCE * DAYS),
        "feed_id": FIRST + number // DAYS,
        "requestid": _named("wg-filler-", number),
        "daystamp": _named(STAMPS[0][:-1], number % DAYS + 1),
        "value": 1.0,
        "content_hash": _named("hash-", number),
        "landed_hash": _named("hash-", number),
        "sent_value": 1.0,
        "landed_value": 1.0,
        "state": DatapointState.LANDED.value,
        "beeminder_id": _named("point-", number),
        "due_at": now - ago,
        "created_at": now - ago,
        "sent_at": now - ago,
        "landed_at": now - ago,
    }


def _sending(number: Number, now: float, ago: Ago) -> Row:
    return {
        "datapoint_id": FIRST + number,
        "epoch": 1,
        "value": 1.0,
        "sent_at": now - ago,
        "answered_at": now - ago,
        "status": "created",
    }


def _event(number: Number, now: float, ago: Ago) -> Row:
    return {
        "id": _event_id(number, now, ago),
        "kind": EventKind.AUTOFETCH.value,
        "user_id": FIRST + number // OF_PERSON,
        "goal_id": FIRST + number // OF_SOURCE,
        "payload": literal({}, JSON),
        "state": EventState.DONE.value,
        "epoch": 1,
        "datapoints": 1,
        "due_at": now - ago,
        "received_at": now - ago,
        "finished_at": now - ago,
    }


def _cover(number: Number, now: float, ago: Ago) -> Row:
    return {
        "event_id": _event_id(number, now, ago),
        "feed_id": FIRST + number,
        "epoch": 1,
        "written": 1,
        "done": True,
    }


def _event_id(number: Number, now: float, ago: Ago) -> ColumnElement[str]:
    """Ids sort by time: the quarter of a day in which it came, and a number of nine digits."""
    before = [
        (ago <= seconds, inbox.earliest_id(now - seconds)[:-9])
        for seconds in range(DAY // 4, 2 * DAY + 1, DAY // 4)
    ]
    return case(*before).concat(as_type(10**8 + number, String))
