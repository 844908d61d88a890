"""Covers decide which sync answers which callback, however the two meet."""

import pytest

from db import covers, feeds
from db.engine import Ledger
from db.models import Event
from tests.db.test_feeds import NOW, call_back, claim, fill, finish, state

GARBLED = {"code": "unexpected_response", "message": "half a body"}


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
