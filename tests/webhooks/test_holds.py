"""Holds: many wait, one asks, and all are let go when the receiver stops."""

import asyncio
import inspect

import pytest
from structlog.testing import capture_logs

from db import inbox
from db.listening import Heard
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


def test_an_outage_is_told_once(ledger, store):
    """However often a hold asks in vain: one line when it begins, and one when it is over."""
    ids = store(2)

    def rename(table, name):
        with ledger.write() as session:
            session.connection().exec_driver_sql(f"ALTER TABLE {table} RENAME TO {name}")

    async def during(holds):
        rename("event", "elsewhere")
        assert await holds.wait(ids[0]) is None
        assert await holds.wait(ids[1]) is None
        rename("elsewhere", "event")
        return await holds.wait(ids[0])

    with capture_logs() as lines:
        assert _run(ledger, 0.2, during) is not None

    told = [line["event"] for line in lines if line["event"].startswith("holds.")]
    assert told == ["holds.not_answered", "holds.answered_again"]


def test_a_database_that_hangs_ends_the_hold_in_time(ledger, store, monkeypatch):
    """A question that never comes back does not keep the callers."""
    monkeypatch.setattr(holds_module, "GRACE_SECONDS", 0.1)
    [event_id] = store(1)
    stuck = asyncio.Event()

    async def during(holds):
        monkeypatch.setattr(holds._thread, "call", lambda _ask: stuck.wait())
        return await holds.wait(event_id)

    assert _run(ledger, 0.1, during) is None


class Asked:
    """Stands in for the thread that asks: notes who was asked about, and when to ask again."""

    def __init__(self, holds, monkeypatch, *, took=0.0):
        self.about = []
        self.pauses = []
        self._rest = holds._rest
        self._took = took
        monkeypatch.setattr(holds._thread, "call", self.answer)
        monkeypatch.setattr(holds, "_rest", self.rest)
        self._happened = asyncio.Event()

    async def until(self, true):
        """Go on when this is true after a question or a pause has begun."""
        while not true():
            self._happened.clear()
            await self._happened.wait()

    async def answer(self, ask):
        """Nothing has ended, after a while."""
        ids, over = inspect.getclosurevars(ask).nonlocals["ids"], ()
        self.about.append(sorted(ids))
        self._happened.set()
        await asyncio.sleep(self._took)
        return dict.fromkeys(over)

    async def rest(self, *, until):
        """As it is, but nobody waits for the next turn."""
        self.pauses.append(until - asyncio.get_running_loop().time())
        self._happened.set()
        await self._rest(until=until)


def test_asking_leaves_the_database_alone_most_of_the_time(ledger, store, monkeypatch):
    """However slow the question, the pause after it is ten times as long (at most a second)."""
    took = 0.03
    [event_id] = store(1)

    async def during(holds):
        asked = Asked(holds, monkeypatch, took=took)
        holds.wake(Heard(anything=True))
        await holds.wait(event_id)
        return asked.pauses

    assert _run(ledger, 0.2, during)[0] >= took * 9


def test_who_hears_surely_asks_once_a_second(ledger, store, monkeypatch):
    """With a watch that hears all ends nobody is asked about often; without one they are."""
    [event_id] = store(1)

    async def during(holds, *, sure):
        asked = Asked(holds, monkeypatch)
        holds.surely_heard = sure
        waiting = asyncio.create_task(holds.wait(event_id))
        await asked.until(lambda: asked.pauses)
        holds.release()
        await waiting
        return asked.pauses[0]

    assert _run(ledger, 60, lambda holds: during(holds, sure=True)) > 0.9
    assert _run(ledger, 60, lambda holds: during(holds, sure=False)) <= 0.05


def test_only_who_was_named_is_asked_about(ledger, store, monkeypatch):
    """Two thousand are held and one of them is told to have ended: a question about one."""
    ids = store(2000)

    async def during(holds):
        holds.surely_heard = True
        asked = Asked(holds, monkeypatch)
        waiting = [asyncio.create_task(holds.wait(event_id)) for event_id in ids]
        await asked.until(lambda: asked.pauses)
        holds.wake(Heard(frozenset({ids[7], "somebody else's"})))
        await asked.until(lambda: len(asked.about) == 2)
        holds.release()
        await asyncio.gather(*waiting)
        return asked.about

    assert _run(ledger, 60, during) == [sorted(ids), [ids[7]]]


def test_an_end_that_was_heard_too_early_counts(ledger, store, monkeypatch):
    """It was told before the commit of the callback was: it is asked about when it is held."""
    [event_id] = store(1)
    _finish(ledger, [event_id])

    async def during(holds):
        holds.surely_heard = True
        other = asyncio.create_task(holds.wait("somebody who waits"))
        rests = asyncio.Event()
        rest = holds._rest

        async def noted(*, until):
            rests.set()
            await rest(until=until)

        monkeypatch.setattr(holds, "_rest", noted)
        await rests.wait()  # the question about everybody is over: the next is in a second
        holds.wake(Heard(frozenset({event_id})))
        async with asyncio.timeout(0.9):
            outcome = await holds.wait(event_id)
        holds.release()
        await other
        return outcome

    assert _run(ledger, 60, during).state == EventState.DONE


def test_what_others_end_is_forgotten(ledger):
    """A receiver hears the ends of all receivers, and keeps a bounded number of them."""

    async def during(holds):
        for number in range(30):
            holds.wake(Heard(frozenset(f"{number}-{one}" for one in range(1000))))
        return len(holds._early)

    assert _run(ledger, 60, during) == holds_module.HEARD_EARLY
