"""Who paused a feed decides whether it is worked on: one rule, in Python and in SQL."""

import itertools

import pytest
from sqlmodel import col, select

from db import overdue, overview, resting
from db.engine import Ledger
from db.models import Feed
from db.states import FeedState
from tests.db.test_feeds import NOW, fill

WHY = (None, "goal_frozen", "goal_archived", "goal_finished", "paused by a person", "auth_failed")


def test_both_spellings_of_the_rule_agree(ledger: Ledger) -> None:
    """For every state and reason the condition finds what the function says."""
    every = list(itertools.product(FeedState, WHY))
    ids = fill(ledger, feeds_each=len(every))
    with ledger.write() as session:
        for feed_id, (state, reason) in zip(ids, every, strict=True):
            feed = session.get_one(Feed, feed_id)
            feed.state, feed.reason = state, reason
            session.add(feed)

    with ledger.read() as session:
        found = session.exec(select(Feed.id).where(resting.claimable()).order_by(col(Feed.id)))
        claimable = list(found)
    assert claimable == [
        feed_id
        for feed_id, (state, reason) in zip(ids, every, strict=True)
        if resting.is_claimable(state, reason)
    ]


@pytest.mark.parametrize(("reason", "due"), [("goal_frozen", True), ("paused by a person", False)])
def test_what_rests_is_shown_with_its_next_look(ledger: Ledger, reason: str, *, due: bool) -> None:
    """`waggle status` says when, and what is overdue counts as work that waits."""
    (feed_id,) = fill(ledger)
    with ledger.write() as session:
        feed = session.get_one(Feed, feed_id)
        feed.state, feed.reason = FeedState.PAUSED, reason
        session.add(feed)

    with ledger.read() as session:
        (shown,) = overview.status(session, NOW + 9)["feeds"]
        waits = overdue.oldest(session, NOW + 9)
    assert (shown["state"], shown["next_sync_at"] is not None) == ("paused", due)
    assert waits == (10.0 if due else 0.0)
