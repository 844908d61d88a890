"""Fingerprints of feeds: new for whatever a page shows anew, the same while nothing moves."""

import pytest

from db import inbox, notices
from db.engine import Ledger
from db.inbox import NewEvent
from db.models import Feed, Goal, Source, User
from db.states import EventKind
from webhooks import feed_streams


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.services)])
def database_url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty ledger."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture(autouse=True)
def two_people(ledger: Ledger) -> None:
    """Alice and Bob with two feeds each; Carol has none."""
    with ledger.write() as session:
        session.add_all(User(id=n, username=name) for n, name in enumerate(("a", "b", "c"), 1))
        session.flush()
        session.add_all(Source(id=n, user_id=n, name="plant", provider="p") for n in (1, 2))
        session.add_all(
            Goal(id=n, user_id=1 + n // 3, slug=f"g{n}", declared_slug="g") for n in range(1, 5)
        )
        session.flush()
        session.add_all(
            Feed(id=n, goal_id=n, source_id=1 + n // 3, metric="m", due_at=1e9) for n in range(1, 5)
        )


def read(ledger: Ledger) -> dict[int | None, str]:
    """Everybody's."""
    with ledger.read() as session:
        return feed_streams.read(session, [1, 2, 3, None])


def change(ledger: Ledger, table, key: int, **columns: object) -> None:
    """Set columns of a row."""
    with ledger.write() as session:
        row = session.get_one(table, key)
        for name, value in columns.items():
            setattr(row, name, value)


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        (Feed, {"epoch": 1}),
        (Feed, {"asked": 1}),
        (Feed, {"state": "failing"}),
        (Feed, {"state": "paused"}),
        (Feed, {"due_at": 1e9 + 0.01}),
        (Feed, {"last_synced_at": 1.8e9}),
        (Feed, {"attempts": 1}),
        (Feed, {"lease_owner": "w"}),
        (Goal, {"facts_at": 5.0}),
        (Source, {"state": "reauthorize"}),
        (User, {"state": "reauthorize"}),
        (User, {"timezone": "Asia/Tokyo"}),
    ],
)
def test_what_changes_is_seen_by_who_may_see_it(ledger: Ledger, table, columns) -> None:
    """Alice and the operator; not Bob, nor Carol."""
    before = read(ledger)
    assert read(ledger) == before
    change(ledger, table, 1, **columns)
    after = read(ledger)
    assert {who for who in after if after[who] != before[who]} == {1, None}


def test_two_that_change_places_are_seen(ledger: Ledger) -> None:
    """A feed that fails and one that is well again at the same moment are no standstill."""
    change(ledger, Feed, 1, state="failing")
    change(ledger, Feed, 2, state="paused")
    before = read(ledger)
    change(ledger, Feed, 1, state="stopped")
    change(ledger, Feed, 2, state="active")
    assert read(ledger)[1] != before[1]


def test_a_notice_and_an_event_are_seen(ledger: Ledger) -> None:
    """Raised, cleared, come in: each of them; an event of nobody by the operator alone."""
    told = [read(ledger)]
    with ledger.write() as session:
        notices.raise_(session, user_id=1, subject="feed:1", kind="k", message="m", now=1.0)
    told.append(read(ledger))
    with ledger.write() as session:
        notices.clear(session, subject="feed:1", kind="k", now=2.0)
    told.append(read(ledger))
    for user_id in (1, None):
        with ledger.write() as session:
            event = NewEvent(kind=EventKind.SYNC, payload={}, received_at=3.0, user_id=user_id)
            inbox.store(session, [event])
        told.append(read(ledger))
    assert [len({each[who] for each in told}) for who in (1, 2, None)] == [3, 1, 4]


def test_it_says_nothing_of_what_it_is_made_of(ledger: Ledger) -> None:
    """A few letters, the same for each look; alone or with others."""
    everybody = read(ledger)
    with ledger.read() as session:
        assert feed_streams.first(session, 1) == everybody[1]
        assert feed_streams.first(session, None) == everybody[None]
    assert len(everybody[1]) == feed_streams.LENGTH
    line = feed_streams.as_event(everybody[1]).decode()
    assert line == f"id: {everybody[1]}\nevent: changed\ndata: {everybody[1]}\n\n"
