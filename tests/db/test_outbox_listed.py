"""What is to be sent, in pages, and having it sent now."""

import pytest

from db import outbox_listed
from db.models_points import Datapoint
from db.outbox_listed import Asked, Mark
from db.states import DatapointState
from tests.db.counting import statements

NOW = 1_793_880_000.0


@pytest.fixture
def points(ledger, linked):
    """Seven that wait, three due at the same moment; one of each other state."""
    with ledger.write() as session:
        for number in range(1, 8):
            add(session, number, due_at=NOW + max(number, 3) % 7)
        for number, state in ((8, "held"), (9, "rejected"), (10, "landed")):
            add(session, number, state=state, due_at=NOW)


def add(session, number, **more):
    """A datapoint of alice/energy."""
    session.add(
        Datapoint(
            **{
                "id": number,
                "goal_id": 1,
                "feed_id": 1,
                "requestid": f"wg_{number}",
                "value": 1.0,
                "content_hash": "h",
            }
            | more
        )
    )


def found(ledger, asked=None, **page):
    """Rows of a page."""
    with ledger.read() as session:
        return outbox_listed.rows(session, asked or Asked(), **({"limit": 50} | page))


def mark(row):
    """Where a row stands."""
    return Mark(row["due_at"], row["id"])


def test_pages_leave_nothing_out(ledger, points):
    """What waits longest first; also where several are due at one moment; forth and back."""
    whole = found(ledger)
    assert [row["id"] for row in whole] == [7, 1, 2, 3, 4, 5, 6]
    walked, page = [], found(ledger, limit=2)
    while page:
        walked += page
        page = found(ledger, after=mark(page[-1]), limit=2)
    assert walked == whole
    assert found(ledger, before=mark(whole[4]), limit=2) == whole[2:4]


def test_filters_narrow_the_list(ledger, points):
    """By state, person, age and text, of which nothing is a pattern."""
    assert [row["id"] for row in found(ledger, Asked(state=DatapointState.HELD))] == [8]
    assert found(ledger, Asked(user_id=2)) == []
    assert [row["id"] for row in found(ledger, Asked(until=NOW + 3))] == [7]
    assert len(found(ledger, Asked(text="alice/ener"))) == 7
    assert [row["id"] for row in found(ledger, Asked(text="wg_3"))] == [3]
    assert found(ledger, Asked(text="wg%3")) == []


def test_what_waits_or_was_refused_is_due_at_once(ledger, points):
    """What is held waits for its owner, what landed is there, what a person froze is theirs."""
    with ledger.write() as session:
        add(session, 11, state="rejected", frozen="edited", due_at=NOW)
    with ledger.write() as session:
        due = outbox_listed.retry(session, [5, 8, 9, 10, 11, 99], NOW + 100)
        rows = {number: session.get(Datapoint, number) for number in range(1, 12)}
        owners = outbox_listed.chosen(session, due)
    assert due == [5, 9]
    assert [(rows[n].state, rows[n].due_at) for n in due] == [("pending", NOW + 100)] * 2
    assert [rows[n].state for n in (8, 10, 11)] == ["held", "landed", "rejected"]
    assert rows[4].due_at == NOW + 4
    assert [(row["user_id"], row["username"], row["slug"]) for row in owners] == [
        (1, "alice", "energy")
    ] * 2


def test_a_list_asks_as_often_however_long_it_is(ledger, points):
    """The names of feeds come with their rows."""
    with statements(ledger) as few:
        found(ledger, limit=1)
    with statements(ledger) as many:
        found(ledger)
    assert len(many) == len(few)
