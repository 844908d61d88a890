"""Nobody who asks every second goes through what grows: feeds, sources, gates, events, datapoints.

What a question goes through is counted: rows on PostgreSQL, with the plan that it made, and steps
of SQLite's machine. So it does not matter which plan that is, or how quick the machine.
"""

from collections.abc import Sequence

import pytest
from sqlmodel import Session

from bench import filled
from db import (
    backfills,
    claiming,
    claiming_outbox,
    datasources,
    errands,
    events,
    inbox,
    messages,
    movement,
    reconciling,
    sources,
    workers,
)
from db.events import ASKS_FOR_FEEDS
from db.models import Backfill, Cover, Event, Feed, Goal, Source, Worker
from db.models_limits import Quota
from db.models_points import Datapoint
from db.states import EventKind, EventState, Lane
from tasks import sweep
from tests.db import effort
from tests.world import DAY, World

FEEDS, DUE = 20_000, 40
MOST_ROWS = 500  # of PostgreSQL's tables; the smallest that grows has 1,000 sources
MOST_STEPS = 10_000  # of SQLite's machine; several for each row


@pytest.fixture
def large(world: World) -> World:
    """Many feeds, of which a few are due, and one of each kind that somebody looks for."""
    now = world.clock.now()
    filled.fill(world.ledger, feeds=FEEDS, now=now)
    filled.fall_due(world.ledger, feeds=DUE, now=now)
    at = filled.FIRST + 1  # and the next ones: none of those that are due
    with world.ledger.write() as session:
        change(session, Feed, at, suspect=True, suspect_of="sync ", due_at=now - 1.0)
        change(session, Feed, at + 1, reconciled_at=now - 2 * DAY)
        change(session, Feed, at + 2, state="failing", reason="set_aside")
        change(session, Feed, at + 3, lease_owner="somebody", lease_until=now + 5.0)
        change(session, Goal, at, datasource_want="waggle", datasource_due_at=now)
        change(session, Source, at, renew_tries=1, access_expires_at=now + 60.0)
        limit = {"closed_at": now - 1.0, "closed_until": now + 2 * 3600.0}
        change(session, Quota, f"{filled.VENDOR}:filler-9", **limit)
        change(session, Quota, f"beeminder:{filled.FIRST + 9}", **limit)
        session.add(
            Datapoint(
                goal_id=filled.FIRST, feed_id=at + 4, requestid="new", value=1.0,
                content_hash="h", due_at=now - 1.0,
            )
        )  # fmt: skip
        days = {"first_day": "20260101", "last_day": "20260102", "next_day": "20260101"}
        session.add(Backfill(feed_id=at + 5, due_at=now - 1.0, **days))
        new, waits = called(now)
        session.add_all([new, waits])
        session.flush()
        session.add(Cover(event_id=waits.id, feed_id=filled.FIRST + 9 * filled.OF_SOURCE))
        workers.register(
            session,
            Worker(name="w", queues="urgent,default,bulk", slots=16, started_at=now, seen_at=now),
        )
    return world


def change(session: Session, table, key, **values) -> None:
    """Change this row."""
    row = session.get_one(table, key)
    for name, value in values.items():
        setattr(row, name, value)


def called(now: float) -> tuple[Event, Event]:
    """A new callback, and one that waits for feeds."""
    said = {"kind": EventKind.AUTOFETCH, "received_at": now, "payload": {}}
    waits = Event(id=inbox.new_id(now), state=EventState.WORKING, **said)
    return Event(id=inbox.new_id(now), **said), waits


def claims(session: Session, now: float) -> None:
    """What workers ask, and take, as long as there is something to be taken."""
    held = {"owner": "me", "now": now}
    for lane in Lane:
        claiming.any_due(session, lane, now)
        claiming.claim(session, lane=lane, **held)
    assert claiming.any_due(session, Lane.BULK, now, alone=True)
    assert claiming.claim(session, lane=Lane.BULK, alone=True, **held)
    assert claiming_outbox.claim(session, **held)
    assert reconciling.claim_overdue(session, **held)
    assert backfills.claim(session, **held)
    assert datasources.due(session, now)
    events.claim(session, kinds=ASKS_FOR_FEEDS, **held)
    errands.claim(session, **held)
    messages.claim(session, owner="me", now=now, limit=10)
    sources.expiring(session, now, alone=True)


def test_what_is_asked_every_second_looks_at_few_rows(large: World) -> None:
    """The sweep, claims and `/readyz`, with something of every kind to be found by each."""
    now = large.clock.now()
    with effort.questions(large.ledger) as asked:
        rung = sweep.run(large.runtime())
        with large.ledger.read() as session:
            movement.look(session, now)
        with large.ledger.write() as session:
            claims(session, now)
            session.rollback()
    assert {"sync.bulk", "push.default", "backfill.bulk", "reconcile.bulk"} <= rung.keys()
    assert too_much(large, asked) == {}


def test_a_callback_looks_at_few_rows(world: World) -> None:
    """From the inbox to Beeminder and back, among many of whom nobody asks anything."""
    filled.fill(world.ledger, feeds=FEEDS, now=world.clock.now())
    world.work()
    event_id = world.call_back()
    with effort.questions(world.ledger) as asked:
        world.work()
        assert sweep.run(world.runtime()) == {}  # and whoever looks when nothing is due any more
        with world.ledger.read() as session:
            movement.look(session, world.clock.now())
    assert world.event(event_id).state == EventState.DONE
    assert too_much(world, asked) == {}


def too_much(world: World, asked: Sequence[effort.Asked]) -> dict[str, int]:
    """Those of these that go through more than they may."""
    most = MOST_STEPS if world.ledger.is_sqlite else MOST_ROWS
    found = effort.of(world.ledger, asked)
    assert found, "nothing was heard, so nothing is measured"
    return {statement: count for statement, count in found.items() if count > most}
