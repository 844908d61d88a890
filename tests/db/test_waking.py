"""Waking: what waits for another try comes due at a pace, and nothing else does."""

from collections.abc import Callable

import pytest
from sqlalchemy import select
from sqlmodel import Session, col
from sqlmodel import select as select_rows

from db import backfills, inbox, waking
from db.engine import Ledger
from db.models import Backfill, Event, Feed, Goal, Source, User
from db.states import EventKind, FeedState, Lane

NOW = 1_800_000_000.0

pytestmark = pytest.mark.usefixtures("linked")


@pytest.fixture(autouse=True)
def _waits(ledger: Ledger, linked: None) -> None:
    """Feeds 1 and 2 have failed and wait for ten minutes and more."""
    set_(ledger, 1, due_at=NOW + 700)
    set_(ledger, 2, due_at=NOW + 600)


def set_(ledger: Ledger, feed_id: int, **columns: object) -> None:
    """A feed that has failed, with these columns."""
    with ledger.write() as session:
        feed = session.get_one(Feed, feed_id)
        for name, value in ({"attempts": 3} | columns).items():
            setattr(feed, name, value)


def add(ledger: Ledger, *numbers: int, source_id: int = 1, goal_id: int = 1) -> None:
    """More feeds that have failed, due one after the other."""
    with ledger.write() as session:
        for number in numbers:
            feed = Feed(id=number, goal_id=goal_id, source_id=source_id, metric="m")
            feed.label, feed.attempts, feed.due_at = f"{number}", 1, NOW + 800 + number
            session.add(feed)


def due(ledger: Ledger) -> dict[int, float]:
    """In how many seconds each feed is due."""
    with ledger.read() as session:
        rows = session.connection().execute(select(col(Feed.id), col(Feed.due_at)))
        return {row.id: round(row.due_at - NOW, 3) for row in rows}


def wake(ledger: Ledger, source_id: int = 1) -> int:
    """The source is back."""
    with ledger.write() as session:
        return waking.of_source(session, source_id, NOW)


def test_they_come_in_the_order_of_their_times(ledger: Ledger) -> None:
    """Twenty a second, the first at once, and whoever waits for a callback before all others."""
    add(ledger, *range(3, 44))
    set_(ledger, 43, lane=Lane.URGENT)

    assert wake(ledger) == 43

    found = due(ledger)
    assert [found[feed] for feed in (43, 2, 1, 3, 4)] == [0.0, 0.05, 0.1, 0.15, 0.2]
    assert sorted(found.values()) == [round(number / 20, 3) for number in range(43)]


@pytest.mark.parametrize(
    "other",
    [
        {"attempts": 0},  # on its own schedule, or behind a limit
        {"state": FeedState.FAILING},  # a person has to do something
        {"state": FeedState.PAUSED},
        {"state": FeedState.STOPPED},
        {"lease_until": NOW + 5},  # somebody is at it
    ],
)
def test_what_does_not_wait_for_the_source_is_left(
    ledger: Ledger, other: dict[str, object]
) -> None:
    """Only back-off ends early."""
    set_(ledger, 1, **other)

    assert wake(ledger) == 1
    assert due(ledger) == {1: 700.0, 2: 0.0}


def test_nobody_is_made_to_wait_for_longer(ledger: Ledger) -> None:
    """A feed that comes due within the stagger keeps its time, and one that is due is due."""
    set_(ledger, 1, due_at=NOW + 0.01)
    set_(ledger, 2, due_at=NOW - 3)
    add(ledger, 3)

    wake(ledger)

    assert due(ledger) == {1: 0.0, 2: -3.0, 3: 0.05}


def test_a_person_s_feeds_are_those_of_all_their_sources(ledger: Ledger) -> None:
    """Their link is back: other people's feeds wait on, and so do other sources' of a source."""
    with ledger.write() as session:
        session.add(User(id=2, username="bob"))
        session.flush()
        session.add(Source(id=2, user_id=1, name="roof", provider="bemserver"))
        session.add(Source(id=3, user_id=2, name="plant", provider="bemserver"))
        session.add(Goal(id=2, user_id=2, slug="energy", declared_slug="energy"))
        session.flush()
    add(ledger, 3, source_id=2)
    add(ledger, 4, source_id=3, goal_id=2)

    assert wake(ledger, 2) == 1
    assert due(ledger) == {1: 700.0, 2: 600.0, 3: 0.0, 4: 804.0}
    with ledger.write() as session:
        assert waking.of_person(session, 1, NOW) == 2
    assert due(ledger) == {1: 0.05, 2: 0.0, 3: 0.0, 4: 804.0}


@pytest.mark.parametrize("key", ["bemserver:plant", "beeminder:1"])
def test_who_was_put_back_by_a_gate_comes_when_it_is_opened(ledger: Ledger, key: str) -> None:
    """Of this account only, and only those that a limit put back: others keep their time."""
    with ledger.write() as session:
        session.get_one(Source, 1).quota_key = "bemserver:plant"
    set_(ledger, 1, attempts=0, deferrals=1)
    set_(ledger, 2, attempts=0, deferrals=0)

    with ledger.write() as session:
        assert waking.behind(session, ["bemserver:other", "beeminder:2"], NOW) == 0
        assert waking.behind(session, [key], NOW) == 1
    assert due(ledger) == {1: 0.0, 2: 600.0}


def backfill(ledger: Ledger, *, source: int = 1, **columns: object) -> int:
    """Past days of a feed of this source that have failed and wait; returns their id."""
    with ledger.write() as session:
        feed_id = session.exec(select_rows(Feed.id).where(Feed.source_id == source)).first()
        made = backfills.ask(session, feed_id or 0, first="20260101", last="20260102", now=NOW)
        for name, value in ({"attempts": 2, "due_at": NOW + 700} | columns).items():
            setattr(made, name, value)
        session.add(made)
        session.flush()
        return made.id or 0


def event(ledger: Ledger, **columns: object) -> str:
    """A name that was looked up in vain and waits; returns the id of its event."""
    new = inbox.NewEvent(kind=EventKind.AUTOFETCH, payload={}, received_at=NOW, user_id=1)
    with ledger.write() as session:
        inbox.store(session, [new])
    with ledger.write() as session:
        row = session.get_one(Event, new.id)
        for name, value in ({"attempts": 2, "epoch": 2, "due_at": NOW + 700} | columns).items():
            setattr(row, name, value)
    return new.id


@pytest.mark.parametrize("back", [waking.of_source, waking.of_person])
def test_past_days_that_have_failed_are_woken(
    ledger: Ledger, back: Callable[[Session, int, float], int]
) -> None:
    """Whether their source or Beeminder is back: they don't wait for a quarter of an hour."""
    failed = backfill(ledger)
    with ledger.write() as session:
        back(session, 1, NOW)

    with ledger.read() as session:
        assert session.get_one(Backfill, failed).due_at == NOW


@pytest.mark.parametrize("columns", [{"attempts": 0}, {"state": "done"}])
def test_past_days_that_wait_for_something_else_are_left(
    ledger: Ledger, columns: dict[str, object]
) -> None:
    """For a limit, or for nothing any more."""
    left = backfill(ledger, **columns)
    wake(ledger)

    with ledger.read() as session:
        assert session.get_one(Backfill, left).due_at == NOW + 700


def test_names_that_were_looked_up_in_vain_are_woken(ledger: Ledger) -> None:
    """Beeminder is back for their person; what is under way, or was not tried, is left."""
    failed, new = event(ledger), event(ledger, attempts=0)
    held = event(ledger, lease_owner="w", lease_until=NOW + 5)
    over = event(ledger, state="failed")
    with ledger.write() as session:
        waking.of_person(session, 2, NOW)
    with ledger.read() as session:
        assert session.get_one(Event, failed).due_at == NOW + 700
    with ledger.write() as session:
        waking.of_person(session, 1, NOW)

    with ledger.read() as session:
        assert session.get_one(Event, failed).due_at == NOW
        assert {session.get_one(Event, each).due_at for each in (new, held, over)} == {NOW + 700}
