"""Events that no feed answers: leased one by one, fenced, given up and forgotten in time."""

import pytest
from sqlmodel import select

from db import deaths, events, inbox
from db.engine import Ledger
from db.events import EventClaim
from db.models import Cover, Event
from db.states import EventKind
from tests.db.test_feeds import call_back, fill
from tests.tasks.scenes import at_once

NOW = 1_800_000_000.0
KINDS = (EventKind.DEAUTHORIZED,)


def store(ledger: Ledger, *received: float) -> list[str]:
    """De-authorizations that came in at these times."""
    group = [
        inbox.NewEvent(kind=EventKind.DEAUTHORIZED, payload={}, received_at=at) for at in received
    ]
    with ledger.write() as session:
        inbox.store(session, group)
    return [event.id for event in group]


def claim(
    ledger: Ledger, owner: str = "a", now: float = NOW, *, alone: bool = False
) -> EventClaim | None:
    """Claim in a transaction of its own."""
    with ledger.write() as session:
        return events.claim(session, kinds=KINDS, owner=owner, now=now, alone=alone)


def row(ledger: Ledger, event_id: str) -> Event:
    """The event as it stands."""
    with ledger.read() as session:
        return session.get_one(Event, event_id)


def test_racing_workers_take_each_event_once(ledger: Ledger) -> None:
    """Eight threads, twenty events: every one is held by exactly one of them."""
    ids = store(ledger, *[NOW - n for n in range(20)])

    def take(number: int) -> list[str]:
        taken = []
        while (held := claim(ledger, f"w{number}")) is not None:
            taken.append(held.event.id)
        return taken

    got = at_once(8, take)
    assert sorted(event_id for taken in got for event_id in taken) == sorted(ids)


def test_the_oldest_goes_first_and_only_when_it_is_due(ledger: Ledger) -> None:
    """By time; what is put back waits for its own."""
    late, early = store(ledger, NOW - 1, NOW - 9)
    held = claim(ledger)
    assert held is not None
    assert held.event.id == early
    with ledger.write() as session:
        assert events.put_back(session, held, due_at=NOW + 30, error={"code": "x"})

    second = claim(ledger)
    assert second is not None
    assert second.event.id == late
    assert claim(ledger) is None
    assert (row(ledger, early).attempts, row(ledger, early).error) == (1, {"code": "x"})


def test_a_late_worker_is_fenced(ledger: Ledger) -> None:
    """After the lease somebody else holds it: neither end nor return of the first one counts."""
    (event_id,) = store(ledger, NOW)
    first = claim(ledger)
    with ledger.write() as session:
        deaths.bury(session, NOW + events.LEASE_SECONDS)
    assert claim(ledger, "b", NOW + events.LEASE_SECONDS) is None
    second = claim(ledger, "b", NOW + events.LEASE_SECONDS, alone=True)
    assert first is not None
    assert second is not None

    with ledger.write() as session:
        assert not events.finish_claimed(session, first, NOW)
        assert not events.put_back(session, first, due_at=NOW)
        assert events.finish_claimed(session, second, NOW)
    assert row(ledger, event_id).state == "done"


@pytest.mark.parametrize(("free", "attempts"), [(True, 0), (False, 1)])
def test_a_deferral_costs_no_attempt_while_it_is_free(
    ledger: Ledger, attempts: int, *, free: bool
) -> None:
    """Waiting for a limit is counted as such, and as a try only past its ceiling."""
    (event_id,) = store(ledger, NOW)
    held = claim(ledger)
    assert held is not None
    with ledger.write() as session:
        events.put_back(session, held, due_at=NOW + 1, deferred=True, free=free)
    assert (row(ledger, event_id).attempts, row(ledger, event_id).deferrals) == (attempts, 1)


def test_what_is_too_old_is_dead(ledger: Ledger) -> None:
    """Unfinished since too long: dead, and nothing waits for it; the younger ones go on."""
    fill(ledger)
    old, young = call_back(ledger, at=NOW - 100), call_back(ledger, at=NOW)
    (other,) = store(ledger, NOW - 100)
    kinds = events.ASKS_FOR_FEEDS
    with ledger.read() as session:
        assert events.any_older(session, NOW - 50, kinds=kinds)
        assert not events.any_older(session, NOW - 200, kinds=kinds)
    with ledger.write() as session:
        assert events.give_up(session, NOW - 50, NOW, kinds=kinds) == 1

    assert (row(ledger, old).state, row(ledger, young).state) == ("dead", "working")
    assert row(ledger, old).finished_at == NOW
    assert row(ledger, other).state == "received"
    with ledger.read() as session:
        done = {cover.event_id: cover.done for cover in session.exec(select(Cover))}
    assert done == {old: True, young: False}


def test_a_dead_event_says_why_and_how_it_is_tried_again(ledger: Ledger) -> None:
    """The last error stays on it, or that nobody came to it; and the command that replays it."""
    tried, untried = store(ledger, NOW - 9, NOW - 8)
    held = claim(ledger)
    assert held is not None
    error = {"code": "x", "message": "Beeminder: down", "request_id": "r"}
    with ledger.write() as session:
        events.put_back(session, held, due_at=NOW, error=error)
    with ledger.write() as session:
        assert events.give_up(session, NOW, NOW, kinds=KINDS) == 2
        assert events.give_up(session, NOW, NOW, kinds=KINDS) == 0

    assert row(ledger, tried).error == {
        "code": "x",
        "message": f"given up: Beeminder: down; `waggle replay {tried}` tries it again",
        "request_id": "r",
    }
    assert row(ledger, untried).error == {
        "code": "dead",
        "message": f"given up: no worker came to it; `waggle replay {untried}` tries it again",
    }


def test_who_holds_an_event_that_was_given_up_changes_nothing(ledger: Ledger) -> None:
    """It is dead, and stays so, whatever the holder has found out meanwhile."""
    (event_id,) = store(ledger, NOW - 9)
    held = claim(ledger)
    assert held is not None
    with ledger.write() as session:
        events.give_up(session, NOW, NOW, kinds=KINDS)
    with ledger.write() as session:
        assert not events.put_back(session, held, due_at=NOW)
        assert not events.finish_claimed(session, held, NOW)
    assert row(ledger, event_id).state == "dead"


def test_finished_events_are_forgotten_with_their_covers(ledger: Ledger) -> None:
    """Retention deletes what ended before then, and never what has not ended."""
    fill(ledger)
    ended, open_one = call_back(ledger, at=NOW), call_back(ledger, at=NOW)
    with ledger.write() as session:
        inbox.finish(session, [ended], NOW)
    with ledger.write() as session:
        assert events.forget(session, NOW) == 0
        assert events.forget(session, NOW + 1) == 1

    with ledger.read() as session:
        assert [event.id for event in session.exec(select(Event))] == [open_one]
        assert [cover.event_id for cover in session.exec(select(Cover))] == [open_one]
