"""Promises about taking feeds out of work: nobody waits for them, nobody writes for them."""

import pytest
from sqlmodel import select

from db import claiming, feeds, notices, opening, pauses
from db.models import Cover
from db.states import FeedState, Lane
from tests.world import NOON, World

REASON = "paused by a person"


def halt(world, *feed_ids, state=FeedState.PAUSED):
    """Pause these feeds."""
    with world.ledger.write() as session:
        pauses.halt(session, feed_ids, state=state, reason=REASON, now=NOON)


def test_a_claim_made_before_is_fenced_off(world):
    """The worker that holds the feed can't finish it, so the pause stays."""
    with world.ledger.write() as session:
        (held,) = claiming.claim(session, owner="w", now=NOON, lane=Lane.BULK)
    halt(world, world.feed_id)
    with pytest.raises(feeds.FencedError), world.ledger.write() as session:
        feeds.finish(session, held, now=NOON, next_at=NOON, written=0)
    feed = world.feed()
    assert (feed.state, feed.reason, feed.lease_owner) == (FeedState.PAUSED, REASON, None)


def test_a_paused_feed_is_not_claimed(world):
    """Not by any lane, although it is due."""
    halt(world, world.feed_id)
    with world.ledger.write() as session:
        assert claiming.claim(session, owner="w", now=NOON, lane=Lane.BULK) == []


def test_a_person_takes_over_what_rested(world):
    """Our pause becomes theirs: it is not claimed any more, and nothing is said about the goal."""
    with world.ledger.write() as session:
        feed = world.feed()
        feed.state, feed.reason = FeedState.PAUSED, "goal_frozen"
        session.add(feed)
        notices.raise_(
            session,
            user_id=world.user_id,
            subject=f"feed:{world.feed_id}",
            kind="resting",
            message="it is frozen",
            now=NOON,
        )
    halt(world, world.feed_id)
    assert (world.feed().state, world.feed().reason) == (FeedState.PAUSED, REASON)
    with world.ledger.write() as session:
        assert claiming.claim(session, owner="w", now=NOON, lane=Lane.BULK) == []
        assert notices.open_for(session) == []


def test_who_waits_for_it_alone_is_answered(world):
    """The callback ends as "no such feed", with the state in words."""
    event_id = world.call_back()
    with world.ledger.write() as session:
        opening.open_callbacks(session, NOON)
    halt(world, world.feed_id, state=FeedState.STOPPED)
    event = world.event(event_id)
    assert (event.state, event.finished_at) == ("failed", NOON)
    assert event.error == {"code": "no_such_feed", "message": "the feed is stopped"}


def test_who_waits_for_another_feed_too_goes_on_waiting(world):
    """The goal's other feed still answers; then the event is done."""
    world.link("energy", series=world.other_series, label="roof")
    event_id = world.call_back()
    with world.ledger.write() as session:
        opening.open_callbacks(session, NOON)
    halt(world, world.feed_id)
    assert world.event(event_id).state == "working"
    world.work()
    assert world.event(event_id).state == "done"


def test_what_has_ended_is_not_ended_again(world):
    """An event that was done before the pause stays done."""
    event_id = world.call_back()
    world.work()
    halt(world, world.feed_id)
    assert world.event(event_id).state == "done"


def test_waking_forgets_what_failed(world):
    """Active, due now, and the first retries are quick again."""
    halt(world, world.feed_id)
    with world.ledger.write() as session:
        feed = world.feed()
        feed.attempts, feed.failing_since, feed.due_at = 9, 1.0, NOON + 9e4
        session.add(feed)
    with world.ledger.write() as session:
        pauses.wake(session, [world.feed_id], NOON)
    feed = world.feed()
    assert (feed.state, feed.reason, feed.due_at) == (FeedState.ACTIVE, None, NOON)
    assert (feed.attempts, feed.failing_since) == (0, None)


def test_nothing_to_halt_is_nothing_done(world):
    """An empty list of feeds touches no cover."""
    world.call_back()
    with world.ledger.write() as session:
        opening.open_callbacks(session, NOON)
    halt(world)
    with world.ledger.read() as session:
        assert [cover.done for cover in session.exec(select(Cover))] == [False]


@pytest.mark.parametrize(("state", "left"), [(FeedState.STOPPED, []), (FeedState.PAUSED, ["held"])])
def test_nobody_is_asked_about_a_stopped_feed(
    world: World, state: FeedState, left: list[str]
) -> None:
    """What was kept back is withdrawn with it: there is nothing left to decide."""
    with world.ledger.write() as session:
        notices.raise_(
            session,
            user_id=world.user_id,
            subject=f"feed:{world.feed_id}",
            kind="held",
            message="m",
            now=world.clock.at,
        )
        pauses.halt(session, [world.feed_id], state=state, reason="r", now=world.clock.at)

    with world.reading() as session:
        assert [notice.kind for notice in notices.open_for(session)] == left
