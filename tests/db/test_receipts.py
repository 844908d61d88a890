"""Receipts: everything that belongs to a day of a feed, in order, and nothing of its neighbours."""

import pytest

from db import receipts
from db.engine import Ledger
from db.models import Cover, Event
from db.models_points import Datapoint, Day, Sending
from db.receipts import Receipt

NOW = 1_800_000_000.0
DAY = "20270114"


pytestmark = pytest.mark.usefixtures("linked")


def add_day(ledger: Ledger, *, feed_id: int = 1, daystamp: str = DAY, epoch: int = 7) -> None:
    """A day that a claim read."""
    with ledger.write() as session:
        session.add(
            Day(
                feed_id=feed_id,
                daystamp=daystamp,
                starts_at=NOW,
                ends_at=NOW + 86400,
                epoch=epoch,
                seen_at=NOW,
            )
        )


def add_point(ledger: Ledger, requestid: str, *epochs: int, **more: object) -> int:
    """A datapoint, sent by these claims one second after the other; returns its id."""
    values = {"goal_id": 1, "feed_id": 1, "daystamp": DAY, "value": 1.0, "content_hash": "h"}
    with ledger.write() as session:
        point = Datapoint(requestid=requestid, **(values | more))
        session.add(point)
        session.flush()
        for number, epoch in enumerate(epochs):
            session.add(
                Sending(datapoint_id=point.id, epoch=epoch, value=number, sent_at=NOW + number)
            )
        return point.id


def add_event(ledger: Ledger, name: str, epoch: int | None, *, feed_id: int = 1, at: float = NOW):
    """A callback that this claim of a feed answered."""
    with ledger.write() as session:
        if session.get(Event, name) is None:
            session.add(Event(id=name, kind="autofetch", received_at=at))
            session.flush()
        session.add(Cover(event_id=name, feed_id=feed_id, epoch=epoch))


def receipt(ledger: Ledger) -> Receipt:
    """The receipt of the day."""
    with ledger.read() as session:
        return receipts.receipt(session, 1, DAY)


def test_a_day_that_nobody_read_has_an_empty_receipt(ledger: Ledger) -> None:
    """It still says whose it is; a day of the other feed is not taken for it."""
    add_day(ledger, feed_id=2)
    add_point(ledger, "other", 7, feed_id=2)
    found = receipt(ledger)
    assert (found.is_known, found.day, found.sent, found.events) == (False, None, (), ())
    assert (found.user.username, found.source.name) == ("alice", "plant")


def test_what_was_sent_is_told_in_order(ledger: Ledger) -> None:
    """Every datapoint of the day with its own tries, and none of another day."""
    first, second = add_point(ledger, "a", 3, 4), add_point(ledger, "b", 5)
    add_point(ledger, "tomorrow", 9, daystamp="20270115")
    found = receipt(ledger)
    assert found.is_known
    assert [sent.point.id for sent in found.sent] == [first, second]
    assert [[one.epoch for one in sent.sendings] for sent in found.sent] == [[3, 4], [5]]


def test_single_events_of_a_day_come_by_their_time(ledger: Ledger) -> None:
    """Whichever was recorded first."""
    for requestid, at in (("late", 200), ("early", 100)):
        add_point(ledger, requestid, timestamp=at)
    assert [sent.point.requestid for sent in receipt(ledger).sent] == ["early", "late"]


def test_who_asked_is_found_by_the_claims(ledger: Ledger) -> None:
    """Callbacks answered by the claim that read the day or by one that sent it, each once."""
    add_day(ledger, epoch=7)
    add_point(ledger, "a", 3)
    add_event(ledger, "sent", 3, at=NOW - 9)
    add_event(ledger, "read", 7, at=NOW)
    add_event(ledger, "read-too", 7, at=NOW - 1)
    add_event(ledger, "earlier", 6)
    add_event(ledger, "waits", None)
    add_event(ledger, "of the other feed", 7, feed_id=2)
    add_event(ledger, "read", 3, feed_id=2)
    assert [event.id for event in receipt(ledger).events] == ["sent", "read-too", "read"]


def test_the_last_tries_of_each_datapoint_are_never_forgotten(ledger: Ledger) -> None:
    """Older ones go when their time is over; the last two stay for as long as the datapoint."""
    add_point(ledger, "a", 1, 2, 3, 4)
    add_point(ledger, "b", 1)
    with ledger.write() as session:
        assert receipts.forget(session, NOW + 1) == 1
        assert receipts.forget(session, NOW + 999) == 1
        assert receipts.forget(session, NOW + 999) == 0
    with ledger.read() as session:
        left = receipts.receipt(session, 1, DAY).sent
    assert [[one.epoch for one in sent.sendings] for sent in left] == [[3, 4], [1]]
