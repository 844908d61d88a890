"""Covers decide which sync answers which callback, however the two meet."""

import time

import pytest
from sqlalchemy import text

from db import covers, feeds
from db.engine import Ledger
from db.models import Event
from tests.db.counting import all_statements
from tests.db.test_feeds import NOW, call_back, claim, fill, finish, state
from tests.tasks.scenes import InThread

GARBLED = {"code": "unexpected_response", "message": "half a body"}


def wait_until_somebody_waits(ledger: Ledger) -> None:
    """For a lock of another one, for ten seconds at most."""
    ends_at = time.monotonic() + 10
    asked = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
    while time.monotonic() < ends_at:
        with ledger.read() as session:
            if session.connection().execute(asked).scalar_one():
                return
    pytest.fail("nobody waits")


def attempts(ledger: Ledger, event_id: str) -> tuple[int, int]:
    """(attempts, deferrals) as they stand on the event."""
    with ledger.read() as session:
        event = session.get_one(Event, event_id)
    return event.attempts, event.deferrals


def test_a_sync_answers_only_what_its_claim_saw(ledger: Ledger) -> None:
    """A callback that came after the claim waits for the next one."""
    fill(ledger)
    early = call_back(ledger)
    (held,) = claim(ledger)
    late = call_back(ledger)

    finish(ledger, held)

    assert (state(ledger, early), state(ledger, late)) == ("done", "working")


def test_an_event_of_two_feeds_is_done_with_the_second(ledger: Ledger) -> None:
    """Fresh data of one feed of a goal does not answer for the other one."""
    fill(ledger, feeds_each=2)
    event_id = call_back(ledger)
    first, second = claim(ledger)

    finish(ledger, first)
    assert state(ledger, event_id) == "working"

    finish(ledger, second)
    assert state(ledger, event_id) == "done"


def test_the_last_two_covers_may_end_at_the_same_moment(postgresql_url: str) -> None:
    """Each sync would find the other's cover open, and nobody would answer."""
    ledger = Ledger(postgresql_url)
    fill(ledger, feeds_each=2)
    event_id = call_back(ledger)
    first, second = claim(ledger)

    with ledger.write() as session:
        feeds.finish(session, first, now=NOW, next_at=NOW + 60, written=1)
        other = InThread(lambda: finish(ledger, second))
        wait_until_somebody_waits(ledger)
    other.join()

    assert state(ledger, event_id) == "done"
    ledger.close()


@pytest.mark.parametrize(("feeds_each", "callbacks", "locked"), [(1, 1, 0), (2, 1, 1), (1, 2, 1)])
def test_what_nobody_else_is_at_is_not_locked(
    postgresql_url: str, feeds_each: int, callbacks: int, locked: int
) -> None:
    """One callback of one feed: the statement that ends it is enough."""
    ledger = Ledger(postgresql_url)
    fill(ledger, feeds_each=feeds_each)
    for _ in range(callbacks):
        call_back(ledger)
    held, *_ = claim(ledger)

    with all_statements(ledger) as sent:
        finish(ledger, held)

    asked = [each for each in sent if each.startswith("SELECT event.id") and "FOR NO KEY" in each]
    assert len(asked) == locked
    ledger.close()


@pytest.mark.parametrize(
    ("deferred", "free", "counted"),
    [(True, True, (0, 1)), (True, False, (1, 1)), (False, True, (1, 0))],
)
def test_only_a_failed_try_costs_an_attempt(
    ledger: Ledger, *, deferred: bool, free: bool, counted: tuple[int, int]
) -> None:
    """Waiting for a limit is counted apart, and past its ceiling as a failed try with its error."""
    fill(ledger)
    event_id = call_back(ledger)
    (held,) = claim(ledger)

    with ledger.write() as session:
        feeds.put_back(
            session, held, due_at=NOW + 1, error=GARBLED, deferred=deferred, free=free, now=NOW
        )

    assert attempts(ledger, event_id) == counted
    with ledger.read() as session:
        told = session.get_one(Event, event_id).error
    assert told == (None if deferred and free else GARBLED)


def test_the_youngest_callback_is_the_one_that_came_last(ledger: Ledger) -> None:
    """How often and since when the last callback has waited, not the first."""
    fill(ledger)
    call_back(ledger, at=NOW - 100)
    (held,) = claim(ledger)
    with ledger.write() as session:
        feeds.put_back(session, held, due_at=NOW, error=GARBLED, deferred=False, now=NOW)
    call_back(ledger, at=NOW - 1)
    (held,) = claim(ledger, owner="b")

    with ledger.read() as session:
        found = covers.youngest(session, held.feed_id, held.epoch)

    assert found == (1, NOW - 1)
