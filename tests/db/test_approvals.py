"""Decisions of people: exactly what they decided about is sent, dropped or left alone."""

from collections.abc import Callable
from typing import Any

import pytest

from db import approvals, notices
from db.engine import Ledger
from db.models import Feed, Notice
from db.models_points import Datapoint, Day, Sending
from db.outbox import Point
from tests.tasks.scenes import at_once

NOW = 1_800_000_000.0
DAY, OTHER_DAY = "20270114", "20270113"
BOUNDS = (NOW - 3600, NOW + 82_800)


pytestmark = pytest.mark.usefixtures("linked")


@pytest.fixture
def put(ledger: Ledger) -> Callable[..., int]:
    """Put a held correction (5 is there, the source says 2) into the ledger; returns its id."""

    def put(**more: Any) -> int:
        values: dict[str, Any] = {
            "goal_id": 1,
            "feed_id": 1,
            "daystamp": DAY,
            "value": 2.0,
            "comment": "2 kWh",
            "landed_value": 5.0,
            "landed_hash": "h5",
            "sent_value": 5.0,
            "content_hash": "h2",
            "state": "held",
            "held_at": NOW - 60,
            "error": "would make a finished day worse: 5 → 2",
            "due_at": NOW + 9999,
            "attempts": 3,
        }
        values |= more
        values.setdefault("requestid", f"wg-{values['feed_id']}-{values['daystamp']}")
        with ledger.write() as session:
            row = Datapoint(**values)
            session.add(row)
            session.flush()
            session.add(
                Sending(
                    datapoint_id=row.id or 0, epoch=1, value=5.0, comment="5 kWh", sent_at=NOW - 99
                )
            )
            return row.id or 0

    return put


def decide(ledger: Ledger, how: Callable[..., list[Datapoint]], **more: Any) -> list[int]:
    """Decide in a transaction of its own; the ids of the rows that it was about."""
    with ledger.write() as session:
        found = how(session, **({"feed_ids": [1, 2], "daystamp": None, "now": NOW} | more))
        return [row.id or 0 for row in found]


def pin(ledger: Ledger, *, pinned: bool = True, bounds: tuple[float, float] = BOUNDS) -> list[int]:
    """Pin or unpin the day of the first feed."""
    with ledger.write() as session:
        rows = approvals.pin(session, 1, daystamp=DAY, pinned=pinned, bounds=bounds, now=NOW)
        return [row.id or 0 for row in rows]


def row_of(ledger: Ledger, point_id: int) -> Datapoint:
    """A datapoint as it stands."""
    with ledger.read() as session:
        return session.get_one(Datapoint, point_id)


def open_notices(ledger: Ledger) -> list[Notice]:
    """What people are told of."""
    with ledger.read() as session:
        return notices.open_for(session)


def tell(ledger: Ledger, feed_id: int = 1) -> None:
    """The notice that something of a feed is held."""
    with ledger.write() as session:
        notices.raise_(
            session, user_id=1, subject=f"feed:{feed_id}", kind="held", message="m", now=NOW
        )


def test_what_is_approved_is_sent_and_not_held_again(ledger: Ledger, put) -> None:
    """The row is due at once, with what the source says, and remembers what was let pass."""
    point_id = put()
    assert decide(ledger, approvals.approve) == [point_id]
    row = row_of(ledger, point_id)
    assert (row.state, row.value, row.approved_hash) == ("pending", 2.0, "h2")
    assert (row.due_at, row.attempts, row.error, row.held_at) == (NOW, 0, None, None)
    assert row.landed_hash == "h5"


def test_what_is_dropped_says_again_what_is_there(ledger: Ledger, put) -> None:
    """Value, comment and content are those that landed, and the refusal is remembered."""
    point_id = put()
    assert decide(ledger, approvals.drop) == [point_id]
    row = row_of(ledger, point_id)
    assert (row.state, row.value, row.comment) == ("landed", 5.0, "5 kWh")
    assert (row.content_hash, row.dropped_hash, row.approved_hash) == ("h5", "h2", None)
    assert (row.error, row.held_at) == (None, None)


def test_a_drop_after_a_lost_answer_settles_what_is_there(ledger: Ledger, put) -> None:
    """One of two values may be at Beeminder: the one that was sent last goes again."""
    point_id = put(landed_hash=None, landed_value=7.0)
    decide(ledger, approvals.drop)
    row = row_of(ledger, point_id)
    assert (row.state, row.value, row.comment, row.due_at) == ("pending", 5.0, "5 kWh", NOW)
    sent = Point(requestid=row.requestid, value=5.0, comment="5 kWh", daystamp=DAY)
    assert (row.content_hash, row.dropped_hash) == (sent.content_hash, "h2")


def test_a_drop_of_what_was_never_sent_withdraws_it(ledger: Ledger, put) -> None:
    """There is nothing at Beeminder to go back to."""
    point_id = put(landed_hash=None, landed_value=None, sent_value=None)
    decide(ledger, approvals.drop)
    row = row_of(ledger, point_id)
    assert (row.state, row.dropped_hash, row.content_hash) == ("withdrawn", "h2", "")


@pytest.mark.parametrize("how", [approvals.approve, approvals.drop])
@pytest.mark.parametrize("state", ["pending", "landed", "rejected", "withdrawn"])
def test_only_what_is_held_is_decided(ledger: Ledger, put, how, state: str) -> None:
    """A decision that comes late, or twice, changes nothing."""
    point_id = put(state=state)
    before = row_of(ledger, point_id).model_dump()
    assert decide(ledger, how) == []
    assert row_of(ledger, point_id).model_dump() == before


@pytest.mark.parametrize("how", [approvals.approve, approvals.drop, None])
def test_a_decision_fences_off_who_judged_before_it(ledger: Ledger, put, how) -> None:
    """The sync that is under way can write nothing; the other feed's goes on."""
    put()
    claimed = {"epoch": 4, "lease_owner": "w", "lease_until": NOW + 9}
    with ledger.write() as session:
        for number in (1, 2):
            session.get_one(Feed, number).sqlmodel_update(claimed)
    if how is None:
        pin(ledger)
    else:
        decide(ledger, how)
    with ledger.read() as session:
        first, second = session.get_one(Feed, 1), session.get_one(Feed, 2)
    assert (first.epoch, first.lease_owner, first.lease_until) == (5, None, 0.0)
    assert second.epoch == 4


def test_a_day_and_a_feed_are_decided_by_themselves(ledger: Ledger, put) -> None:
    """Other days, and the other feeds of the goal, stay held."""
    wanted, day, feed = put(), put(daystamp=OTHER_DAY), put(feed_id=2)
    assert decide(ledger, approvals.approve, feed_ids=[1], daystamp=DAY) == [wanted]
    assert [row_of(ledger, other).state for other in (day, feed)] == ["held", "held"]
    with ledger.read() as session:
        assert [row.id for row in approvals.held(session, [1, 2])] == [day, feed]


@pytest.mark.parametrize("how", [approvals.approve, approvals.drop])
def test_the_notice_goes_with_the_last_held_day(ledger: Ledger, put, how) -> None:
    """It stays while one day of the feed is held, and other feeds keep theirs."""
    for daystamp in (DAY, OTHER_DAY):
        put(daystamp=daystamp)
    put(feed_id=2)
    tell(ledger, 1)
    tell(ledger, 2)
    decide(ledger, how, feed_ids=[1], daystamp=DAY)
    assert len(open_notices(ledger)) == 2
    decide(ledger, how, feed_ids=[1], daystamp=OTHER_DAY)
    assert [notice.subject for notice in open_notices(ledger)] == ["feed:2"]


def test_two_who_decide_at_once_do_not_both_decide(ledger: Ledger, put) -> None:
    """One approves and one drops: the row is what one of them said, whole."""
    point_id = put()
    both = [approvals.approve, approvals.drop]
    decided = at_once(2, lambda number: decide(ledger, both[number]))
    assert sorted(decided) == [[], [point_id]]
    row = row_of(ledger, point_id)
    assert (row.approved_hash is None) != (row.dropped_hash is None)
    assert row.state == ("pending" if row.approved_hash else "landed")


def test_a_pinned_day_sends_nothing_that_waits(ledger: Ledger, put) -> None:
    """What was pending or held for it goes back to what is there; other days go on."""
    held, other = put(), put(daystamp=OTHER_DAY, state="pending")
    new = put(requestid="n", state="pending", landed_hash=None, landed_value=None)
    tell(ledger)
    assert pin(ledger) == [held, new]
    assert (row_of(ledger, held).state, row_of(ledger, held).value) == ("landed", 5.0)
    assert (row_of(ledger, new).state, row_of(ledger, new).content_hash) == ("withdrawn", "")
    assert row_of(ledger, held).dropped_hash is None
    assert row_of(ledger, other).state == "pending"
    assert open_notices(ledger) == []


def test_pinning_keeps_what_is_known_of_the_day(ledger: Ledger) -> None:
    """Only the pin changes on a day that was read; one that was not gets the bounds given."""
    with ledger.write() as session:
        session.add(
            Day(feed_id=1, daystamp=DAY, starts_at=1.0, ends_at=2.0, value=3.0, seen_at=NOW)
        )
    pin(ledger)
    with ledger.read() as session:
        day = session.get_one(Day, (1, DAY))
    assert (day.pinned, day.starts_at, day.value, day.seen_at) == (True, 1.0, 3.0, NOW)
    pin(ledger, pinned=False)
    with ledger.read() as session:
        assert not session.get_one(Day, (1, DAY)).pinned


def test_a_day_that_was_never_read_can_be_pinned(ledger: Ledger) -> None:
    """It has bounds and no value; taking back a pin that is not there makes no day."""
    pin(ledger, pinned=False)
    with ledger.read() as session:
        assert session.get(Day, (1, DAY)) is None
    pin(ledger)
    with ledger.read() as session:
        day = session.get_one(Day, (1, DAY))
    assert (day.pinned, day.starts_at, day.ends_at) == (True, *BOUNDS)
    assert (day.value, day.seen_at) == (None, None)
