"""A person asks for a goal: stored once, for whoever is awake, and nothing for who sleeps."""

import pytest
from sqlmodel import select

from db import asking
from db.engine import Ledger
from db.models import Event, Feed, Goal, User
from db.states import EventKind, FeedState

pytestmark = pytest.mark.usefixtures("linked")


def ask(ledger: Ledger, now: float = 100.0) -> str:
    """Ask for alice/energy."""
    with ledger.write() as session:
        feeds = session.exec(select(Feed).order_by(Feed.id)).all()
        user, goal = session.get_one(User, 1), session.get_one(Goal, 1)
        return asking.sync(session, user, goal, feeds, now).id


def sleep(ledger: Ledger, *feed_ids: int, reason: str = "paused by a person") -> None:
    """Pause these feeds."""
    with ledger.write() as session:
        for feed_id in feed_ids:
            feed = session.get_one(Feed, feed_id)
            feed.state, feed.reason = FeedState.PAUSED, reason


def test_it_is_an_event_like_a_callback(ledger: Ledger) -> None:
    """Of the goal, of its owner, and of the time at which it was asked for."""
    event_id = ask(ledger)
    with ledger.read() as session:
        (event,) = session.exec(select(Event)).all()
    assert (event.id, event.kind, event.user_id, event.goal_id) == (event_id, EventKind.SYNC, 1, 1)
    assert (event.received_at, event.payload) == (100.0, {"username": "alice", "slug": "energy"})


def test_one_feed_that_is_awake_is_enough(ledger: Ledger) -> None:
    """The others of the goal stay asleep; a goal that rests is looked at as well."""
    sleep(ledger, 1)
    ask(ledger)
    sleep(ledger, 2, reason="goal_frozen")
    ask(ledger)


def test_nothing_is_stored_for_a_goal_that_sleeps(ledger: Ledger) -> None:
    """The error names the first feed, with why it does not run."""
    sleep(ledger, 1, 2)
    with ledger.write() as session:
        feeds = session.exec(select(Feed).order_by(Feed.id)).all()
        user, goal = session.get_one(User, 1), session.get_one(Goal, 1)
        with pytest.raises(asking.AsleepError, match=r"paused \(paused by a person\)") as caught:
            asking.sync(session, user, goal, feeds, 100.0)
        assert caught.value.feed is feeds[0]
    with ledger.read() as session:
        assert not session.exec(select(Event)).all()
