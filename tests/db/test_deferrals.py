"""Waits behind closed gates are counted once each, whoever was refused, and cost no attempt."""

from sqlmodel import select

from db import deferrals, feeds
from db.engine import Ledger
from db.models import Cover
from tests.db.gated import event, shut
from tests.db.test_feeds import NOW, call_back, claim, fill
from tests.tasks.scenes import at_once

LIMIT = {"code": "rate_limited", "message": "429"}


def count(ledger: Ledger, now: float = NOW, **more: int) -> int:
    """What the sweep does; how many were counted."""
    with ledger.read() as session:
        if not deferrals.any_new(session, now):
            return 0
    with ledger.write() as session:
        return deferrals.count(session, now, **more)


def counted(ledger: Ledger, event_id: str) -> tuple[int, int]:
    """(attempts, deferrals) as they stand on the event."""
    found = event(ledger, event_id)
    return found.attempts, found.deferrals


def test_nothing_is_counted_while_gates_are_open(ledger: Ledger) -> None:
    """A callback that waits for a worker was not deferred."""
    fill(ledger)
    event_id = call_back(ledger)
    assert count(ledger) == 0
    assert counted(ledger, event_id) == (0, 0)


def test_a_wait_is_counted_once_however_often_one_looks(ledger: Ledger) -> None:
    """The feed is passed over, so nobody puts it back; how long it waits stands on the event."""
    fill(ledger)
    event_id = call_back(ledger)
    shut(ledger)
    assert [count(ledger, NOW + second) for second in range(5)] == [1, 0, 0, 0, 0]
    assert counted(ledger, event_id) == (0, 1)
    assert event(ledger, event_id).due_at == NOW + 60
    assert event(ledger, event_id).error is None


def test_a_gate_that_is_closed_for_longer_is_the_same_wait(ledger: Ledger) -> None:
    """The requests that were on their way are refused a moment later, until a moment later."""
    fill(ledger)
    event_id = call_back(ledger)
    shut(ledger)
    assert count(ledger) == 1
    shut(ledger, until=NOW + 61)
    assert count(ledger, NOW + 1) == 0
    assert event(ledger, event_id).due_at == NOW + 61
    assert count(ledger, NOW + 60.5) == 0
    assert counted(ledger, event_id) == (0, 1)


def test_each_closing_is_counted(ledger: Ledger) -> None:
    """The time has come, and somebody else's request was refused: one more wait."""
    fill(ledger)
    event_id = call_back(ledger)
    shut(ledger)
    count(ledger)
    shut(ledger, until=NOW + 200)
    assert count(ledger, NOW + 61) == 1
    assert counted(ledger, event_id) == (0, 2)


def test_its_own_refusal_is_not_counted_again(ledger: Ledger) -> None:
    """What was put back by a limit waits behind the same gate, and has been counted."""
    fill(ledger)
    event_id = call_back(ledger)
    (held,) = claim(ledger)
    shut(ledger)
    with ledger.write() as session:
        feeds.put_back(session, held, due_at=NOW + 60.3, error=LIMIT, deferred=True, now=NOW)
    assert count(ledger, NOW + 1) == 0
    assert counted(ledger, event_id) == (0, 1)
    assert event(ledger, event_id).due_at == NOW + 60.3
    (held,) = claim(ledger, now=NOW + 61)  # the gate is half open, and this one goes first
    shut(ledger, until=NOW + 120)
    with ledger.write() as session:
        feeds.put_back(session, held, due_at=NOW + 120.3, error=LIMIT, deferred=True, now=NOW)
    assert count(ledger, NOW + 62) == 0
    assert counted(ledger, event_id) == (0, 2)


def test_what_is_at_work_when_a_gate_closes_was_not_deferred(ledger: Ledger) -> None:
    """Its request left before; a callback that comes meanwhile waits for the next one."""
    fill(ledger)
    first = call_back(ledger)
    (held,) = claim(ledger)
    second = call_back(ledger, at=NOW + 0.1)
    shut(ledger)
    assert count(ledger, NOW + 1) == 0
    with ledger.write() as session:
        feeds.finish(session, held, now=NOW + 1, next_at=NOW + 3600, written=1)
    assert count(ledger, NOW + 2) == 1
    assert (counted(ledger, first), counted(ledger, second)) == ((1, 0), (0, 1))


def test_an_event_of_several_feeds_counts_its_longest_row_of_waits(ledger: Ledger) -> None:
    """Each cover for itself; the event shows the most, as with attempts."""
    fill(ledger, sources=2)
    event_id = call_back(ledger)
    shut(ledger)
    assert count(ledger) == 1
    assert counted(ledger, event_id) == (0, 1)
    with ledger.read() as session:
        covers = [cover.deferrals for cover in session.exec(select(Cover))]
    assert covers == [1, 1]


def test_looking_from_several_places_counts_once(ledger: Ledger) -> None:
    """Two beats do no harm."""
    fill(ledger)
    event_id = call_back(ledger)
    shut(ledger)
    assert sorted(at_once(3, lambda _number: count(ledger))) == [0, 0, 1]
    assert counted(ledger, event_id) == (0, 1)


def test_of_a_great_many_all_are_counted(ledger: Ledger) -> None:
    """So many at a time, and the next call goes on."""
    fill(ledger)
    ids = [call_back(ledger, at=NOW + number / 100) for number in range(5)]
    shut(ledger)
    assert [count(ledger, NOW + 1, at_most=2) for _ in range(4)] == [2, 2, 1, 0]
    assert [counted(ledger, one) for one in ids] == [(0, 1)] * 5
