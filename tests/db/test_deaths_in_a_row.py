"""Only what dies alone again and again is set aside, and a person may have it tried again."""

import pytest

from db import backfills, events, feeds, needs, pauses
from db.engine import Ledger
from db.feeds import LEASE_SECONDS
from db.models import Backfill, Event
from db.states import EventKind, FeedState, Lane
from tests.db.dying import (
    NOW,
    ONE,
    OVER,
    TWO,
    bury,
    call_back,
    change,
    claim,
    claim_event,
    deauthorized,
    die_alone,
    event,
    feed,
    heard_of,
)

pytestmark = pytest.mark.usefixtures("linked")


def test_pauses_between_deaths_grow(ledger: Ledger) -> None:
    """5, 10, 20, 40 seconds, of which the lease takes up ten: what killed it may be over."""
    change(ledger, TWO, due_at=NOW + 9999)
    waits, now = [], NOW
    for times in range(4):
        claim(ledger, now=now, alone=times > 0)
        bury(ledger, now + LEASE_SECONDS)
        waits.append(feed(ledger).lease_until - now)
        now = feed(ledger).lease_until
    assert waits == [10.0, 10.0, 20.0, 40.0]


def test_a_fifth_death_alone_sets_aside(ledger: Ledger) -> None:
    """No claim takes it, its owner is told once, and who waits is told what to do."""
    change(ledger, TWO, due_at=NOW + 9999)
    with ledger.write() as session:
        asked = backfills.ask(session, ONE, first="20261101", last="20261110", now=NOW).id
    now = die_alone(ledger, 4)
    assert feed(ledger).state == FeedState.ACTIVE
    event_id = call_back(ledger, at=now)
    claim(ledger, now=now, alone=True)
    now += LEASE_SECONDS
    bury(ledger, now)

    row = feed(ledger)
    assert (row.state, row.reason, row.deaths) == (FeedState.FAILING, "set_aside", 5)
    assert "5 times in a row" in (row.last_error or "")
    assert "2027-01-15" in (row.last_error or "")
    assert "`waggle sync alice/energy --preview`" in (row.last_error or "")
    assert "`waggle resume alice/energy`" in (row.last_error or "")
    ended = event(ledger, event_id)
    assert (ended.state, ended.error) == (
        "failed",
        {"code": "set_aside", "message": row.last_error},
    )
    with ledger.read() as session:
        (need,) = needs.of(session, now)
        backfill = session.get_one(Backfill, asked)
    assert (need.subject, need.kind, need.message) == ("alice/energy", "set_aside", row.last_error)
    assert (backfill.state, backfill.error) == ("failed", row.last_error)
    assert [held.feed_id for held in claim(ledger, now=now + 1e6)] == [TWO]
    assert claim(ledger, now=now + 1e6, alone=True) == []


def test_a_callback_for_what_is_set_aside_fails_at_once(ledger: Ledger) -> None:
    """With its reason, not as if there were no feed; the other feed of the goal is synced."""
    change(ledger, state="failing", reason="set_aside", last_error="it killed", suspect=True)
    change(ledger, TWO, lane=Lane.BULK)
    event_id = call_back(ledger)

    ended = event(ledger, event_id)
    assert (ended.state, ended.error) == ("failed", {"code": "set_aside", "message": "it killed"})
    assert feed(ledger, TWO).lane == Lane.URGENT
    assert feed(ledger).asked == 0


def test_resuming_has_it_tried_alone_with_all_its_tries(ledger: Ledger) -> None:
    """A person says so: it runs again, where it can't take others along, and the notice is gone."""
    change(ledger, TWO, due_at=NOW + 9999)
    now = die_alone(ledger, 5)
    with ledger.write() as session:
        pauses.wake(session, [ONE], now)

    row = feed(ledger)
    assert (row.state, row.reason, row.deaths, row.suspect) == ("active", None, 0, True)
    assert row.last_error is None
    with ledger.read() as session:
        assert needs.of(session, now) == []
    assert claim(ledger, now=now) == []
    assert [held.feed_id for held in claim(ledger, now=now, alone=True)] == [ONE]


@pytest.mark.parametrize("state", [FeedState.PAUSED, FeedState.STOPPED])
def test_what_a_person_stopped_is_not_set_aside(ledger: Ledger, state: str) -> None:
    """It was held for a look at its goal: the lease is freed, nothing else changes."""
    change(ledger, state=state, reason="x", deaths=4, lease_owner="w", lease_until=OVER)
    bury(ledger)
    row = feed(ledger)
    assert (row.state, row.reason, row.deaths, row.lease_owner) == (state, "x", 4, None)


def test_an_event_that_keeps_dying_is_dead(ledger: Ledger) -> None:
    """Five deaths: shown with what happened, fit to be replayed, and nobody takes it."""
    event_id = deauthorized(ledger)
    now = NOW
    for times in range(5):
        assert claim_event(ledger, now, alone=times > 0) == event_id
        (burial,) = bury(ledger, now + LEASE_SECONDS)
        now = max(now + LEASE_SECONDS, event(ledger, event_id).lease_until)
    assert (burial.counted, burial.dead) == (event_id, event_id)
    row = event(ledger, event_id)
    assert (row.state, row.deaths, row.finished_at is not None) == ("dead", 5, True)
    assert (row.error or {})["code"] == "killed_its_worker"
    assert "5 times in a row" in (row.error or {})["message"]
    assert f"`waggle replay {event_id}` tries it again" in (row.error or {})["message"]
    assert claim_event(ledger, now + 9999, alone=True) is None


def test_an_event_that_was_ended_meanwhile_stays_so(ledger: Ledger) -> None:
    """It was given up for its age while somebody held it: only the lease goes."""
    event_id = deauthorized(ledger)
    claim_event(ledger)
    with ledger.write() as session:
        row = session.get_one(Event, event_id)
        row.state, row.deaths = "done", 4
        session.add(row)
    bury(ledger)
    row = event(ledger, event_id)
    assert (row.state, row.deaths, row.lease_owner) == ("done", 4, None)


@pytest.mark.parametrize("done", [True, False])
def test_an_event_begins_anew_after_a_good_try_only(ledger: Ledger, *, done: bool) -> None:
    """Told to wait, it has shown nothing; looked at again later because all went well, it has."""
    event_id = deauthorized(ledger)
    claim_event(ledger)
    bury(ledger)
    with ledger.write() as session:
        held = events.claim(
            session, kinds=[EventKind.DEAUTHORIZED], owner="w", now=OVER, alone=True
        )
        assert held is not None
        events.put_back(session, held, due_at=OVER, done=done)
    row = event(ledger, event_id)
    assert (row.deaths, row.suspect) == ((0, False) if done else (1, True))


def test_events_that_died_together_are_not_counted(ledger: Ledger) -> None:
    """Nobody knows who did it: each of them has five deaths alone, like a feed."""
    first, second = deauthorized(ledger), deauthorized(ledger)
    assert {claim_event(ledger), claim_event(ledger)} == {first, second}

    (burial,) = bury(ledger)

    assert (burial.counted, set(burial.events)) == (None, {first, second})
    rows = [event(ledger, first), event(ledger, second)]
    assert [(row.deaths, row.suspect) for row in rows] == [(0, True)] * 2
    assert claim_event(ledger, OVER) is None
    assert claim_event(ledger, OVER, alone=True) in {first, second}


def test_an_event_that_began_alone_is_counted_beside_feeds_that_came_later(ledger: Ledger) -> None:
    """It outlived its time alone: the newcomers are tried alone, uncounted."""
    event_id = deauthorized(ledger)
    with ledger.write() as session:
        row = session.get_one(Event, event_id)
        row.suspect = True
        session.add(row)
    assert claim_event(ledger, alone=True) == event_id
    claim(ledger)

    (burial,) = bury(ledger)

    assert (burial.counted, burial.suspects) == (event_id, (ONE, TWO))
    assert (event(ledger, event_id).deaths, feed(ledger).deaths) == (1, 0)


def test_a_feed_that_died_with_an_event_is_not_counted(ledger: Ledger) -> None:
    """Whichever lease ends first: nobody renews an event's."""
    change(ledger, TWO, due_at=OVER + 99)
    event_id = deauthorized(ledger)
    claim_event(ledger)
    claim(ledger)
    with ledger.write() as session:
        feeds.renew(session, owner="w", feed_ids=[ONE], now=NOW + 6)
    heard_of(ledger, NOW + 6)

    assert bury(ledger) == []  # its process may be alive, for all that is known
    (burial,) = bury(ledger, OVER + 2)

    assert (burial.lives, burial.suspects, burial.events) == (False, (ONE,), (event_id,))
    assert (feed(ledger).deaths, event(ledger, event_id).deaths) == (0, 0)


def test_an_event_that_a_living_process_lost_is_counted(ledger: Ledger) -> None:
    """Its thread hangs, or left by an error that nobody expected."""
    event_id = deauthorized(ledger)
    claim_event(ledger)
    heard_of(ledger, OVER + 5)
    assert bury(ledger, OVER + 5) == []
    (burial,) = bury(ledger, OVER + 6)
    assert (burial.lives, burial.events) == (True, (event_id,))
