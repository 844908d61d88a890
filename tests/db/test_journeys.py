"""The journey of an event: what its claims did and nobody else's, in as many questions as ever."""

import pytest

from db import inbox, journeys
from db.models import Cover, Feed
from db.models_points import Datapoint, Day, Sending
from db.states import EventKind
from tests.db.counting import statements

NOW = 1_793_880_000.0


@pytest.fixture
def event_id(ledger, linked):
    """An event that claim 4 of feed 1 answered; feed 2 has not been taken yet."""
    new = inbox.NewEvent(
        kind=EventKind.AUTOFETCH, payload={"slug": "energy"}, received_at=NOW, user_id=1, goal_id=1
    )
    with ledger.write() as session:
        inbox.store(session, [new])
        session.add_all(
            [
                Cover(event_id=new.id, feed_id=1, epoch=4, attempts=2, written=1, done=True),
                Cover(event_id=new.id, feed_id=2, deferrals=3),
            ]
        )
        for feed_id, epoch, day in ((1, 4, "20261101"), (1, 3, "20261031"), (2, 4, "20261101")):
            session.add(
                Day(feed_id=feed_id, daystamp=day, starts_at=0, ends_at=1, value=2.5, epoch=epoch)
            )
        for feed_id in (1, 2):
            session.add(
                Datapoint(
                    id=feed_id,
                    goal_id=1,
                    feed_id=feed_id,
                    requestid=f"wg-{feed_id}",
                    daystamp="20261101",
                    value=2.5,
                    content_hash="h",
                )
            )
        session.flush()
        for point, epoch, at in ((1, 4, 3), (1, 3, 2), (2, 4, 3), (1, 4, -9000)):
            session.add(
                Sending(
                    datapoint_id=point, epoch=epoch, value=epoch, sent_at=NOW + at, status="created"
                )
            )
    return new.id


def told(ledger, event_id, **more):
    """The journey as it is now."""
    with ledger.read() as session:
        return journeys.journey(session, event_id, NOW + 9, **more)


def test_what_a_claim_read_and_sent_is_told_and_nothing_else(ledger, event_id):
    """Another claim's days, another feed's sendings and those of an earlier life stay out."""
    journey = told(ledger, event_id)
    first, second = journey.legs

    assert (journey.username, journey.slug) == ("alice", "energy")
    assert (first.feed, first.epoch, first.attempts, first.done) == ("alice/energy", 4, 2, True)
    assert [day["daystamp"] for day in first.days] == ["20261101"]
    assert [(sent["value"], sent["sent_at"]) for sent in first.sendings] == [(4.0, NOW + 3)]
    assert (second.feed, second.epoch, second.deferrals) == ("alice/energy:roof", None, 3)
    assert (second.days, second.sendings) == ((), ())


def test_an_event_is_its_persons(ledger, event_id):
    """Somebody else's is like none at all."""
    assert told(ledger, event_id, user_id=1) is not None
    assert told(ledger, event_id, user_id=2) is None
    assert told(ledger, "0" * 26) is None


def test_replays_are_found_from_both_ends(ledger, event_id):
    """What it replays, and what replayed it."""
    again = inbox.NewEvent(
        kind=EventKind.AUTOFETCH, payload={}, received_at=NOW, user_id=1, replay_of=event_id
    )
    with ledger.write() as session:
        inbox.store(session, [again])
    assert [row["id"] for row in told(ledger, event_id).replays] == [again.id]
    assert told(ledger, again.id).event.replay_of == event_id


def test_a_journey_asks_as_often_however_many_feeds_there_are(ledger, event_id):
    """Legs are put together from a few questions for all of them."""
    with statements(ledger) as few:
        told(ledger, event_id)
    with ledger.write() as session:
        for number in range(3, 30):
            session.add(Feed(id=number, goal_id=1, source_id=1, label=f"l{number}", metric="m"))
        session.flush()
        session.add_all([Cover(event_id=event_id, feed_id=n, epoch=1) for n in range(3, 30)])
    with statements(ledger) as many:
        assert len(told(ledger, event_id).legs) == 29
    assert len(many) == len(few)
