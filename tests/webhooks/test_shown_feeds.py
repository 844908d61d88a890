"""What the pages say of limits: which gates are closed, until when, and who waits for them."""

import pytest

from db import inbox, opening
from db.models import Feed, Goal, LoginLink, Source, User
from db.models_limits import Quota
from db.states import EventKind
from webhooks import shown_feeds
from webhooks.shown_feeds import Wanted


@pytest.fixture
def limited(serving):
    """Alice's two feeds wait for one limit, Bob's for another; Alice has a callback too."""
    now = serving.clock.now()
    with serving.ledger.write() as session:
        for number, name, slugs in ((1, "alice", ("energy", "water")), (2, "bob", ("steps",))):
            session.add(User(id=number, username=name))
            session.flush()
            key = f"p:canary{number}"
            session.add(
                Source(id=number, user_id=number, name=f"{name}-plant", provider="p", quota_key=key)
            )
            session.add(Quota(key=key, vendor="p", closed_until=now + 60 * number))
            for slug in slugs:
                goal = Goal(user_id=number, slug=slug, declared_slug=slug)
                session.add(goal)
                session.flush()
                session.add(Feed(goal_id=goal.id, source_id=number, metric="m", due_at=now - 5))
        event = inbox.NewEvent(
            kind=EventKind.AUTOFETCH,
            payload={"username": "alice", "slug": "energy"},
            received_at=now,
        )
        inbox.store(session, [event])
        opening.open_callbacks(session, now)


@pytest.fixture
def page(serving, limited):
    """The operator's browser; gives the text of a page."""
    with serving.ledger.write() as session:
        session.add(
            LoginLink(secret_hash=serving.vault.fingerprint("once"), username="", expires_at=9e12)
        )
    serving.client.get("/login/once")
    return lambda path: serving.client.get(path).text


def test_the_start_tells_which_limits_are_waited_for(page):
    """Each closed gate once with how many wait, the first to open first; no key of a gate."""
    text = page("/")
    assert "p:alice-plant opens <time" in text
    assert "2 feeds wait and go on then" in text
    assert "1 feed waits and goes on then" in text
    assert text.index("p:alice-plant opens") < text.index("p:bob-plant opens")
    assert "canary" not in text


def test_each_feed_and_each_event_says_what_it_waits_for(page):
    """In its row, on its own page with when it is looked at next, and among the events."""
    told = "waits for a limit: p:alice-plant, until "
    assert page("/").count(told) == 3  # two feeds and one event
    assert "Next look: in 1 min." in page("/feeds/alice/energy")
    assert f"It {told}" in page("/feeds/alice/energy")
    assert page("/events").count(told) == 1


def test_an_open_gate_is_not_told(page, serving):
    """When it has opened the pages say nothing of it any more."""
    serving.clock.at += 121
    assert "limit" not in page("/")
    assert "waits for" not in page("/feeds/alice/energy")


def test_nobody_sees_what_others_wait_for(serving, limited):
    """A person's page tells of their own feeds only."""
    with serving.ledger.read() as session:
        now = serving.clock.now()
        feeds = shown_feeds.page(session, now, Wanted(user_id=2), limit=25)
    assert [(wait.gate, count) for wait, count in shown_feeds.limits(feeds)] == [("p:bob-plant", 1)]


@pytest.mark.parametrize(
    ("columns", "looked_at"),
    [
        ({"state": "failing", "reason": "not_found"}, True),
        ({"state": "failing", "reason": "set_aside"}, False),
        ({"state": "paused", "reason": "goal_frozen"}, True),
        ({"state": "paused"}, False),
    ],
)
def test_what_is_not_tried_any_more_has_no_next_look(page, serving, columns, looked_at):
    """Set aside or paused by a person: nothing will happen by itself."""
    with serving.ledger.write() as session:
        feed = session.get_one(Feed, 1)
        for name, value in columns.items():
            setattr(feed, name, value)
    assert ("Next look: " in page("/feeds/alice/energy")) == looked_at
