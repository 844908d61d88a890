"""Feeds that Waggle paused, because their goal rests: claimed and ended like others."""

import pytest
from sqlmodel import select

from db import claiming, feeds, resting
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


def test_claiming_goes_along_its_index(ledger: Ledger) -> None:
    """Neither database looks at every feed to find one that is due."""
    fill(ledger, sources=3, feeds_each=20)
    asked = select(Feed.source_id).where(claiming.due(NOW, Lane.BULK)).order_by(Feed.lane, Feed.due_at)
    with ledger.write() as session:
        dialect = session.get_bind().dialect
        words = str(asked.limit(1).compile(dialect=dialect, compile_kwargs={"literal_binds": True}))
        if dialect.name == "postgresql":
            session.connection().exec_driver_sql("SET LOCAL enable_seqscan = off")
            session.connection().exec_driver_sql("SET LOCAL enable_sort = off")
        explain = "EXPLAIN" if dialect.name == "postgresql" else "EXPLAIN QUERY PLAN"
        plan = session.connection().exec_driver_sql(f"{explain} {words}").all()

    assert "ix_feed_claim" in str(plan)
