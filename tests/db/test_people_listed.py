"""People in pages, with figures that are theirs alone."""

import pytest

from db import inbox, notices, people_listed
from db.models import Feed, Goal, Source, User
from db.states import EventKind
from tests.db.counting import statements

NOW = 1_793_880_000.0


@pytest.fixture
def people(ledger):
    """Five people; each has as many feeds as their number, the third a refused source."""
    with ledger.write() as session:
        for number in range(1, 6):
            add(session, number)
        notices.raise_(session, user_id=2, subject="user:2", kind="k", message="m", now=NOW)
        inbox.store(
            session,
            [
                inbox.NewEvent(
                    id=inbox.new_id(NOW + 5),
                    kind=EventKind.AUTOFETCH,
                    payload={},
                    received_at=NOW + 5,
                    user_id=4,
                )
            ],
        )


def add(session, number):
    """A person with feeds."""
    state = "reauthorize" if number == 5 else "active"
    session.add(User(id=number, username=f"p{number}_x", state=state))
    session.flush()
    refused = "reauthorize" if number == 3 else "active"
    session.add(Source(id=number, user_id=number, name="s", provider="p", state=refused))
    goal = Goal(id=number, user_id=number, slug="g", declared_slug="g")
    session.add(goal)
    session.flush()
    for label in range(number):
        session.add(
            Feed(
                goal_id=goal.id,
                source_id=number,
                label=f"{label}",
                metric="m",
                state="failing" if label == 2 else "active",
                last_synced_at=NOW - number if label == 0 else None,
            )
        )


def found(ledger, **asked):
    """A page of people."""
    with ledger.read() as session:
        return people_listed.people(session, **({"limit": 50} | asked))


def test_each_has_their_own_figures(ledger, people):
    """Feeds, those that fail, refused logins, notices, and the last that was heard."""
    rows = found(ledger)
    assert [row.feeds for row in rows] == [1, 2, 3, 4, 5]
    assert [row.failing for row in rows] == [0, 0, 1, 1, 1]
    assert [row.refused for row in rows] == [0, 0, 1, 0, 0]
    assert [row.notices for row in rows] == [0, 1, 0, 0, 0]
    assert [row.heard_at for row in rows] == [NOW - 1, NOW - 2, NOW - 3, NOW + 5, NOW - 5]


def test_pages_leave_nobody_out(ledger, people):
    """By name, forth and back."""
    assert [row.id for row in found(ledger, limit=2)] == [1, 2]
    assert [row.id for row in found(ledger, after="p2_x", limit=2)] == [3, 4]
    assert [row.id for row in found(ledger, before="p5_x", limit=2)] == [3, 4]


def test_filters_narrow_the_list(ledger, people):
    """By name, which is no pattern, and by state; a refused source counts as a refused link."""
    assert [row.id for row in found(ledger, text="P3")] == [3]
    assert found(ledger, text="p%x") == []
    assert [row.id for row in found(ledger, state="reauthorize")] == [3, 5]
    assert found(ledger, state="deauthorized") == []


def test_one_person_with_what_is_theirs(ledger, people):
    """Feeds in pages, sources by name; nobody for an id that nobody has."""
    with ledger.read() as session:
        assert people_listed.person(session, 99) is None
        assert people_listed.person(session, 4).username == "p4_x"
        feeds = people_listed.feeds(session, 4, limit=3)
        rest = people_listed.feeds(session, 4, after=feeds[-1]["id"], limit=3)
        assert people_listed.name_of("p4_x", feeds[0]) == "p4_x/g:0"
        assert [row["label"] for row in [*feeds, *rest]] == ["0", "1", "2", "3"]
        assert [row["name"] for row in people_listed.sources(session, 3, limit=9)] == ["s"]


def test_a_list_asks_as_often_however_long_it_is(ledger, people):
    """Figures of a page are asked for together."""
    with statements(ledger) as few:
        found(ledger, limit=1)
    with ledger.write() as session:
        for number in range(6, 20):
            add(session, number)
    with statements(ledger) as many:
        found(ledger)
    assert len(many) == len(few)
