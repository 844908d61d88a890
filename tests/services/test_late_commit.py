"""On PostgreSQL transactions overlap: what a claim did not see, it does not finish."""

import threading

import pytest
from sqlmodel import Session

from db import feeds, inbox, opening
from db.engine import Ledger
from db.models import Event, Feed
from db.states import EventKind, Lane
from tests.db.test_feeds import NOW, claim, fill, finish
from tests.tasks.scenes import InThread

pytestmark = pytest.mark.services


@pytest.fixture
def database_url(postgresql_url: str) -> str:
    """Only here can two writers be in the middle of things at once."""
    return postgresql_url


def store(session: Session, at: float) -> str:
    """A callback with this time, in a transaction that is still open."""
    new = inbox.NewEvent(
        kind=EventKind.AUTOFETCH,
        payload={"username": "alice", "slug": "g0"},
        received_at=at,
    )
    inbox.store(session, [new])
    return new.id


def state(ledger: Ledger, event_id: str) -> str:
    """How far it has come."""
    with ledger.read() as session:
        return session.get_one(Event, event_id).state


def test_an_event_committed_after_the_claim_waits_for_the_next(ledger: Ledger) -> None:
    """Stored with an earlier time, committed while a sync runs: not finished by that sync."""
    (feed_id,) = fill(ledger)
    with ledger.write() as late:
        event_id = store(late, NOW - 30)
        late.flush()
        (held,) = claim(ledger, "a")
    with ledger.write() as session:
        opening.open_callbacks(session, NOW)
    finish(ledger, held)

    assert state(ledger, event_id) == "working"
    with ledger.read() as session:
        feed = session.get_one(Feed, feed_id)
    assert (feed.due_at, feed.lane) == (NOW, Lane.URGENT)
    (again,) = claim(ledger, "b")
    finish(ledger, again)
    assert state(ledger, event_id) == "done"


def test_covers_committed_after_the_claim_wait_for_the_next(ledger: Ledger) -> None:
    """The tying is under way and holds the feed: a claim passes it by, or is not believed in."""
    fill(ledger)
    with ledger.write() as session:
        event_id = store(session, NOW - 30)
    with ledger.write() as tying:
        opening.open_callbacks(tying, NOW)
        assert claim(ledger, "a") == []
    (held,) = claim(ledger, "a")
    finish(ledger, held)
    assert state(ledger, event_id) == "done"


def test_a_finish_waits_for_a_tying_and_sees_it(ledger: Ledger) -> None:
    """The sync ends while a callback is being tied: the feed stays due for it."""
    (feed_id,) = fill(ledger)
    (held,) = claim(ledger, "a")
    with ledger.write() as session:
        event_id = store(session, NOW)
    began = threading.Event()
    with ledger.write() as tying:
        opening.open_callbacks(tying, NOW)

        def end() -> None:
            began.set()
            finish(ledger, held)

        thread = InThread(end)
        assert began.wait(5)
    thread.join()

    assert state(ledger, event_id) == "working"
    with ledger.read() as session:
        assert session.get_one(Feed, feed_id).due_at == NOW


def test_two_syncs_that_end_the_last_two_covers_at_once(ledger: Ledger) -> None:
    """Each sees only its own cover done until it holds the event: the second one finishes it."""
    fill(ledger, feeds_each=2)
    with ledger.write() as session:
        event_id = store(session, NOW)
    with ledger.write() as session:
        opening.open_callbacks(session, NOW)
    first, second = claim(ledger, "a")
    with ledger.write() as one:
        feeds.finish(one, first, now=NOW, next_at=NOW + 60, written=1)
        thread = InThread(lambda: finish(ledger, second))
    thread.join()

    assert state(ledger, event_id) == "done"
    with ledger.read() as session:
        assert session.get_one(Event, event_id).datapoints == 2
