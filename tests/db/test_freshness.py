"""How old the data of the feeds is: every feed once, in its class."""

from sqlmodel import select

from db import freshness
from db.engine import Ledger
from db.freshness import BOUNDS, Freshness
from db.models import Feed

NOW = 1_795_000_000.0


def test_every_feed_is_in_one_class(ledger: Ledger, linked: None) -> None:
    """By state; one that never was synced is as old as itself, and bounds are inside."""
    ages = {"": 60.0, "roof": 61.0, "c": 700_000.0, "d": 86_400.0}
    with ledger.write() as session:
        for number, label in ((3, "c"), (4, "d")):
            session.add(Feed(id=number, goal_id=1, source_id=1, label=label, metric="m"))
        session.flush()
        for feed in session.exec(select(Feed)):
            at = NOW - ages[feed.label]
            if feed.label == "d":
                feed.state, feed.created_at = "failing", at
            else:
                feed.last_synced_at = at
    with ledger.read() as session:
        found = freshness.by_state(session, NOW)
    assert found["active"] == Freshness(3, (1, *[2] * 8), 700_121.0, 700_000.0)
    assert found["failing"] == Freshness(1, (*[0] * 6, 1, 1, 1), 86_400.0, 86_400.0)
    assert found["paused"] == found["stopped"] == Freshness()
    assert len(BOUNDS) == 9


def test_a_clock_that_was_set_back_makes_no_age_below_zero(ledger: Ledger, linked: None) -> None:
    """A feed that was synced in a second from now is fresh."""
    with ledger.write() as session:
        for feed in session.exec(select(Feed)):
            feed.last_synced_at = NOW + 1
    with ledger.read() as session:
        assert freshness.by_state(session, NOW)["active"] == Freshness(2, (2,) * 9, 0.0, 0.0)
