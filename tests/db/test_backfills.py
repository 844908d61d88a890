"""Promises about backfills: one at a time for a feed, after the feed itself, and never lost."""

import pytest

from db import backfills, claiming, feeds
from db.backfills import OtherBackfillError
from db.models import Backfill
from db.states import BackfillState, FeedState, Lane
from tests.tasks.scenes import LEASE_OVER, at_once, change_feed
from tests.world import DAY, NOON

FIRST, LAST = "20260101", "20260331"


@pytest.fixture
def rested(world):
    """A world whose feed is not due for a day."""
    change_feed(world, due_at=NOON + DAY)
    return world


def ask(world, first=FIRST, last=LAST, feed_id=None, now=NOON):
    """Ask for days; returns the row."""
    with world.ledger.write() as session:
        return backfills.ask(session, feed_id or world.feed_id, first=first, last=last, now=now)


def claim(world, now=NOON, owner="w"):
    """Claim a chunk, or None."""
    with world.ledger.write() as session:
        return backfills.claim(session, owner=owner, now=now)


def any_due(world, now=NOON):
    """Is there a chunk to be done?"""
    with world.reading() as session:
        return backfills.any_due(session, now)


def row(world, backfill_id):
    """A backfill as it stands now."""
    with world.reading() as session:
        return session.get_one(Backfill, backfill_id)


def change(world, how, *arguments, **named):
    """Call one of the changes in a transaction of its own."""
    with world.ledger.write() as session:
        return how(session, *arguments, **named)


def test_the_same_days_are_joined_and_others_refused(world):
    """Who asks twice has one backfill; days from another one on wait until it has ended."""
    made = ask(world)
    assert (made.next_day, made.state, made.due_at) == (FIRST, "working", NOON)
    assert ask(world, now=NOON + 5).id == made.id
    with pytest.raises(OtherBackfillError) as refused:
        ask(world, first="20260102")
    assert (refused.value.first_day, refused.value.last_day) == (FIRST, LAST)
    change(world, backfills.cancel, [world.feed_id], NOON)
    assert ask(world, first="20260102").id != made.id


def test_whoever_asks_for_more_has_the_open_one_go_on(world):
    """Until today, asked again tomorrow: the later last day counts, also while it is worked on."""
    made = ask(world)
    assert ask(world, last="20260301").last_day == LAST
    assert ask(world, last="20260402").id == made.id
    step = {"last_day": LAST, "written": 3, "held": 2, "now": NOON}
    change(world, backfills.advance, made.id, next_day="20260401", **step)
    found = row(world, made.id)
    assert (found.state, found.last_day, found.finished_at) == ("working", "20260402", None)
    change(world, backfills.advance, made.id, next_day="20260403", **step)
    assert row(world, made.id).state == "done"


def test_two_who_ask_at_once_get_one(rested):
    """However the two transactions lie, a feed has one open backfill."""
    asked = at_once(4, lambda _number: ask(rested).id)
    assert len(set(asked)) == 1


def test_a_claim_is_a_lease_of_the_feed(rested):
    """Nobody else gets the feed, for a chunk or a sync, until the lease has ended."""
    made = ask(rested)
    held, found = claim(rested)
    assert (held.feed_id, held.epoch, found.id) == (rested.feed_id, 1, made.id)
    assert claim(rested, owner="other") is None
    assert not any_due(rested)
    with rested.ledger.write() as session:
        feeds.ask(session, [rested.feed_id], NOON)
    assert change(rested, claiming.claim, owner="other", now=NOON, lane=Lane.BULK) == []
    assert claim(rested, NOON + LEASE_OVER) is None  # the feed was asked for: it goes first


def test_a_feed_that_is_due_goes_first(world):
    """A callback never waits for the next chunk."""
    ask(world)
    assert not any_due(world)
    assert claim(world) is None
    change_feed(world, due_at=NOON + 1)
    assert any_due(world)
    assert claim(world) is not None


@pytest.mark.parametrize("state", [FeedState.PAUSED, FeedState.STOPPED])
def test_a_feed_that_rests_keeps_its_backfill_waiting(rested, state):
    """It goes on when the feed does."""
    made = ask(rested)
    change_feed(rested, state=state)
    assert not any_due(rested)
    assert claim(rested) is None
    change_feed(rested, state=FeedState.ACTIVE)
    assert claim(rested)[1].id == made.id


def test_chunks_move_it_on_until_the_last_day(world):
    """What was written and held adds up, and trouble that is over is forgotten."""
    made = ask(world)
    change(
        world,
        backfills.put_back,
        made.id,
        due_at=NOON + 9,
        error="x",
        deferred=False,
        now=NOON,
        written=1,
    )
    assert (row(world, made.id).attempts, row(world, made.id).error) == (1, "x")
    assert row(world, made.id).stuck_since == NOON
    step = {"last_day": LAST, "written": 3, "held": 2, "now": NOON + 9}
    change(world, backfills.advance, made.id, next_day="20260201", **step)
    found = row(world, made.id)
    assert (found.next_day, found.written, found.held, found.state) == ("20260201", 4, 2, "working")
    assert (found.attempts, found.error, found.due_at) == (0, None, NOON + 9)
    assert found.stuck_since is None
    change(world, backfills.advance, made.id, next_day="20260401", **step)
    found = row(world, made.id)
    assert (found.state, found.finished_at, found.written) == ("done", NOON + 9, 7)
    assert change(world, backfills.open_for) == []


def test_a_limit_costs_no_attempt_until_it_is_not_free(rested):
    """A deferral moves the time and is counted apart; how long that lasts is remembered."""
    made = ask(rested)
    for number in range(3):
        change(
            rested,
            backfills.put_back,
            made.id,
            due_at=NOON + 60,
            error="x",
            deferred=True,
            free=number < 2,
            now=NOON + number,
        )
    found = row(rested, made.id)
    assert (found.attempts, found.deferrals, found.stuck_since) == (1, 3, NOON)
    assert not any_due(rested)
    assert any_due(rested, NOON + 60)
    step = {"last_day": LAST, "written": 3, "held": 2, "now": NOON + 60}
    change(rested, backfills.advance, made.id, next_day="20260201", **step)
    found = row(rested, made.id)
    assert (found.attempts, found.deferrals, found.stuck_since) == (0, 0, None)


def test_what_has_ended_is_not_moved(rested):
    """A worker that comes late with its chunk does not open a cancelled backfill again."""
    made = ask(rested)
    change(rested, backfills.cancel, [rested.feed_id], NOON)
    step = {"last_day": LAST, "written": 3, "held": 2, "now": NOON}
    change(rested, backfills.advance, made.id, next_day="20260201", **step)
    change(rested, backfills.fail, made.id, error="x", now=NOON)
    change(rested, backfills.put_back, made.id, due_at=NOON, error="x", deferred=False, now=NOON)
    found = row(rested, made.id)
    assert (found.state, found.next_day, found.error) == (BackfillState.CANCELLED, FIRST, None)
    assert claim(rested) is None


def test_one_that_failed_ends_with_its_reason(rested):
    """It is not claimed again, and may be asked for again."""
    made = ask(rested)
    change(rested, backfills.fail, made.id, error="no such goal", now=NOON + 3, written=2)
    found = row(rested, made.id)
    assert (found.state, found.error, found.written) == ("failed", "no such goal", 2)
    assert found.finished_at == NOON + 3
    assert claim(rested) is None
    assert ask(rested).id != made.id


def test_only_the_feeds_named_are_cancelled_and_shown(rested):
    """Somebody else's backfill goes on."""
    other = rested.link("output")
    mine, theirs = ask(rested), ask(rested, feed_id=other)
    assert change(rested, backfills.cancel, [rested.feed_id], NOON) == 1
    with rested.reading() as session:
        assert [found.id for found in backfills.open_for(session)] == [theirs.id]
        assert backfills.open_for(session, [rested.feed_id]) == []
    assert row(rested, mine.id).state == "cancelled"
