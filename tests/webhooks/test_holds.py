"""Holds: many wait, one asks, and all are let go when the receiver stops."""

import asyncio

import pytest

from db import inbox
from db.states import EventKind, EventState
from tests.webhooks.conftest import SetClock
from webhooks import holds as holds_module
from webhooks.holds import Holds
from webhooks.metrics import Metrics

BOUND_SECONDS = 10


@pytest.fixture
def store(ledger):
    """Store so many events; gives their ids."""

    def store(count: int) -> list[str]:
        events = [
            inbox.NewEvent(
                id=inbox.new_id(at), kind=EventKind.AUTOFETCH, payload={}, received_at=1.0
            )
            for at in range(count)
        ]
        with ledger.write() as session:
            inbox.store(session, events)
        return [event.id for event in events]

    return store


def _run(ledger, seconds, during):
    """Run `during(holds)` beside the task that asks."""

    async def both():
        holds = Holds(ledger=ledger, clock=SetClock(), seconds=seconds, metrics=Metrics())
        asking = asyncio.create_task(holds.run())
        try:
            async with asyncio.timeout(BOUND_SECONDS):
                return await during(holds)
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            holds.stop()

    return asyncio.run(both())


def _finish(ledger, ids):
    with ledger.write() as session:
        inbox.finish(session, ids, 2.0)


def test_each_of_many_learns_its_own_end(ledger, store):
    """1,200 held at once, more than one question can name: exactly those that ended are told."""
    ids = store(1200)

    async def during(holds):
        waiting = [asyncio.create_task(holds.wait(event_id)) for event_id in ids]
        await asyncio.sleep(0)
        await asyncio.to_thread(_finish, ledger, ids[::2])
        told = await asyncio.gather(*waiting[::2])
        early = [task.done() for task in waiting[1::2]]
        holds.release()
        return told, early, await asyncio.gather(*waiting[1::2])

    told, early, rest = _run(ledger, 60, during)

    assert {outcome.state for outcome in told} == {EventState.DONE}
    assert not any(early)
    assert set(rest) == {None}


def test_the_end_of_the_time_tells_where_it_stands(ledger, store):
    """Not over in time: the caller gets the state as it is then."""
    [event_id] = store(1)

    outcome = _run(ledger, 0.1, lambda holds: holds.wait(event_id))

    assert outcome.state == EventState.RECEIVED


def test_release_ends_holds_that_come_later(ledger, store):
    """A request that was being stored when the stop came is not held any more."""
    [event_id] = store(1)

    async def during(holds):
        holds.release()
        return await holds.wait(event_id)

    assert _run(ledger, 60, during) is None


def test_no_hold_asks_nothing(ledger):
    """A hold of 0 seconds is over before it begins."""
    assert _run(ledger, 0, lambda holds: holds.wait("any")) is None


def test_a_database_that_fails_ends_the_hold_in_time(ledger, store):
    """Without an answer from the ledger the hold still ends, and nothing is claimed."""
    [event_id] = store(1)
    with ledger.write() as session:
        session.connection().exec_driver_sql("DROP TABLE cover")
        session.connection().exec_driver_sql("DROP TABLE event")

    assert _run(ledger, 0.1, lambda holds: holds.wait(event_id)) is None


def test_a_database_that_hangs_ends_the_hold_in_time(ledger, store, monkeypatch):
    """A question that never comes back does not keep the callers."""
    monkeypatch.setattr(holds_module, "GRACE_SECONDS", 0.1)
    [event_id] = store(1)
    stuck = asyncio.Event()

    async def during(holds):
        monkeypatch.setattr(holds._thread, "call", lambda _ask: stuck.wait())
        return await holds.wait(event_id)

    assert _run(ledger, 0.1, during) is None


def test_asking_leaves_the_database_alone_most_of_the_time(ledger, store, monkeypatch):
    """However slow the question, the pause after it is ten times as long (at most a second)."""
    pauses = []
    took = 0.03
    real_sleep = asyncio.sleep

    async def noted(seconds):
        pauses.append(seconds)
        await real_sleep(0)

    async def during(holds):
        async def slow(_ask):
            await real_sleep(took)
            return {}

        monkeypatch.setattr(holds._thread, "call", slow)
        monkeypatch.setattr(holds_module.asyncio, "sleep", noted)
        return await holds.wait(event_id)

    [event_id] = store(1)
    _run(ledger, 0.5, during)

    assert min(pauses[:3]) >= took * 9
