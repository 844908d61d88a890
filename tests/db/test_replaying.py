"""Replays: new events that say what they replay; what is under way is not begun twice."""

import pytest
from sqlmodel import select

from db import inbox, replaying
from db.models import Event
from db.states import EventKind

NOW = 1_793_880_000.0


@pytest.fixture
def events(ledger, linked):
    """By state: one event of alice each."""
    made = {}
    for state in ("received", "done", "failed", "dead"):
        new = inbox.NewEvent(
            kind=EventKind.REMINDER, payload={"slug": state}, received_at=NOW, user_id=1, goal_id=1
        )
        made[state] = new.id
        with ledger.write() as session:
            inbox.store(session, [new])
            if state != "received":
                error = None if state == "done" else {"code": "x", "message": "y"}
                inbox.finish(session, [new.id], NOW, error=error, dead=state == "dead")
    return made


def fit(ledger, ids, **more):
    """The ids of those that are fit to be replayed."""
    with ledger.write() as session:
        return {row.id for row in replaying.fit(session, ids, **more)}


def test_only_what_ended_badly_is_fit(ledger, events):
    """Not what waits, not what is done, not what nobody has, and only one's own."""
    ids = [*events.values(), "0" * 26]
    assert fit(ledger, ids) == {events["failed"], events["dead"]}
    assert fit(ledger, ids, user_id=1) == {events["failed"], events["dead"]}
    assert fit(ledger, ids, user_id=2) == set()


def test_a_replay_is_a_new_event_and_the_old_one_stays(ledger, events):
    """With everything that says what to do, and the request that asked for it."""
    with ledger.write() as session:
        rows = replaying.fit(session, [events["dead"]])
        new = replaying.replay(session, rows, NOW + 9, request_id="r-1")
    with ledger.read() as session:
        made = session.get_one(Event, new[0].id)
        old = session.get_one(Event, events["dead"])
    assert (made.replay_of, made.request_id, made.received_at) == (old.id, "r-1", NOW + 9)
    assert (made.kind, made.payload, made.user_id, made.goal_id) == (
        "reminder",
        {"slug": "dead"},
        1,
        1,
    )
    assert (made.state, old.state) == ("received", "dead")


@pytest.mark.parametrize("ends", ["badly", "well"])
def test_what_is_tried_again_is_not_replayed_beside_it(ledger, events, ends):
    """While a replay is on its way, and for good when it went well; not when it failed too."""
    with ledger.write() as session:
        new = replaying.replay(session, replaying.fit(session, [events["failed"]]), NOW)
    assert fit(ledger, events.values()) == {events["dead"]}
    error = {"code": "x", "message": "y"} if ends == "badly" else None
    with ledger.write() as session:
        inbox.finish(session, [new[0].id], NOW, error=error)
    again = {events["failed"], new[0].id} if ends == "badly" else set()
    assert fit(ledger, [*events.values(), new[0].id]) == {events["dead"]} | again


def test_nothing_makes_nothing(ledger, events):
    """An empty list is no statement without rows."""
    with ledger.write() as session:
        assert replaying.replay(session, [], NOW) == []
        assert len(session.exec(select(Event)).all()) == 4
