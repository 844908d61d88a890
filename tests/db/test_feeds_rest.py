"""Feeds that Waggle paused, because their goal rests: claimed and ended like others."""

import pytest

from db import feeds, resting
from db.engine import Ledger
from db.models import Feed
from db.states import FeedState, Lane
from tests.db.test_feeds import NOW, claim, fill, row


@pytest.mark.parametrize("reason", resting.REASONS)
def test_what_rests_is_claimed_and_what_a_person_paused_is_not(ledger: Ledger, reason: str) -> None:
    """Both are paused; only the reason tells who did it."""
    ours, theirs, unnamed = fill(ledger, feeds_each=3)
    with ledger.write() as session:
        for feed_id, why in ((ours, reason), (theirs, "paused by a person"), (unnamed, None)):
            feed = session.get_one(Feed, feed_id)
            feed.state, feed.reason = FeedState.PAUSED, why
            session.add(feed)

    assert [held.feed_id for held in claim(ledger)] == [ours]


ENDS = {
    "finish": (FeedState.ACTIVE, None),
    "fail": (FeedState.FAILING, "x"),
    "rest": (FeedState.PAUSED, "goal_frozen"),
    "wake": (FeedState.ACTIVE, None),
}


@pytest.mark.parametrize("before", ["rests", "paused by a person", "stopped"])
@pytest.mark.parametrize("end", ENDS)
def test_a_sync_ends_our_pause_and_nobody_elses(ledger: Ledger, end: str, before: str) -> None:
    """A feed that rested takes the new state; one that a person took away keeps theirs."""
    (feed_id,) = fill(ledger)
    (held,) = claim(ledger)
    pauses = {
        "rests": (FeedState.PAUSED, "goal_archived"),
        "paused by a person": (FeedState.PAUSED, "paused by a person"),
        "stopped": (FeedState.STOPPED, "unlinked"),
    }
    with ledger.write() as session:
        feed = session.get_one(Feed, feed_id)
        feed.state, feed.reason = pauses[before]
        session.add(feed)
    error = {"code": "goal_frozen" if end == "rest" else "x", "message": "y"}
    with ledger.write() as session:
        if end == "finish":
            feeds.finish(session, held, now=NOW, next_at=NOW + 60, written=0)
        elif end == "wake":
            feeds.wake(session, held, NOW)
        else:
            getattr(feeds, end)(session, held, now=NOW, next_at=NOW + 60, error=error)

    feed = row(ledger, feed_id)
    assert (feed.state, feed.reason) == (ENDS[end] if before == "rests" else pauses[before])


@pytest.mark.parametrize("lane", Lane)
def test_the_next_sync_waits_in_the_lane_it_was_given(ledger: Ledger, lane: Lane) -> None:
    """Before a red deadline that is not bulk."""
    (feed_id,) = fill(ledger)
    (held,) = claim(ledger)
    with ledger.write() as session:
        feeds.finish(session, held, now=NOW, next_at=NOW + 60, written=0, lane=lane)

    assert (row(ledger, feed_id).lane, row(ledger, feed_id).due_at) == (lane, NOW + 60)
