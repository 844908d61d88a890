"""What was done, in pages: by whom, to whose things, and what."""

import pytest

from db import deeds, deeds_listed
from db.deeds_listed import Asked
from db.models import User
from db.models_pages import Deed
from tests.db.counting import statements


@pytest.fixture
def done(ledger):
    """Ten deeds of alice and the operator on their things and bob's."""
    with ledger.write() as session:
        session.add_all([User(id=1, username="alice"), User(id=2, username="Bob")])
        session.flush()
        for number in range(10):
            deeds.record(
                session,
                at=float(number),
                actor="operator" if number % 2 else "alice",
                as_operator=bool(number % 2),
                user_id=2 if number % 3 == 0 else 1,
                action="pause" if number < 4 else "replay",
                subject=f"s{number}",
            )


def found(ledger, asked=None, **page):
    """The subjects of a page."""
    with ledger.read() as session:
        rows = deeds_listed.rows(session, asked or Asked(), **({"limit": 50} | page))
    return [row.subject for row in rows]


def test_pages_leave_nothing_out(ledger, done):
    """The latest first, forth and back."""
    with ledger.read() as session:
        ids = [row.id for row in deeds_listed.rows(session, Asked(), limit=50)]
    assert found(ledger, limit=4) == ["s9", "s8", "s7", "s6"]
    assert found(ledger, before=ids[3], limit=4) == ["s5", "s4", "s3", "s2"]
    assert found(ledger, after=ids[4], limit=3) == ["s8", "s7", "s6"]


def test_filters_narrow_the_list(ledger, done):
    """By action, and by person in any case of letters: what they did, or what was done to them."""
    assert found(ledger, Asked(action="pause")) == ["s3", "s2", "s1", "s0"]
    assert found(ledger, Asked(person="BOB")) == ["s9", "s6", "s3", "s0"]
    assert found(ledger, Asked(person="operator", action="pause")) == ["s3", "s1"]
    assert found(ledger, Asked(person="%")) == []


def test_actions_and_names_are_told(ledger, done):
    """Those that there are; who is gone has no name."""
    with ledger.read() as session:
        assert deeds_listed.actions(session) == ["pause", "replay"]
        assert deeds_listed.names(session, {1, 2, 3}) == {1: "alice", 2: "Bob"}


def test_a_list_asks_as_often_however_long_it_is(ledger, done):
    """One question for a page."""
    with statements(ledger) as few:
        found(ledger, limit=1)
    with ledger.write() as session:
        session.add_all([Deed(at=0, actor="x", action="y", subject="z") for _ in range(40)])
    with statements(ledger) as many:
        found(ledger)
    assert len(many) == len(few)
