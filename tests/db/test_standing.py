"""The figures of the operator's first page: each counts what it says, however much there is."""

import pytest

from db import inbox, standing
from db.models import Event, Feed, Source, User, Worker
from db.models_limits import Breaker, Quota
from db.models_points import Datapoint, Sending
from db.states import EventKind
from tests.db.counting import statements

NOW = 1_793_880_000.0
DAY = 86400.0


def event(session, at, state):
    """An event that came in `at` seconds from now and is in this state."""
    new = inbox.NewEvent(
        id=inbox.new_id(NOW + at), kind=EventKind.SYNC, payload={}, received_at=NOW + at
    )
    inbox.store(session, [new])
    session.get_one(Event, new.id).state = state


@pytest.fixture
def house(ledger, linked):
    """A house with a little of everything."""
    with ledger.write() as session:
        for at, state in (
            (-2 * DAY, "received"),
            (-50, "working"),
            (-50, "done"),
            (-2 * DAY, "done"),
            (-50, "failed"),
            (-2 * DAY, "dead"),
        ):
            event(session, at, state)
        for number, state in enumerate(("pending", "held", "rejected", "landed", "landed"), 1):
            session.add(
                Datapoint(
                    id=number, goal_id=1, feed_id=1, requestid=f"{number}", value=1.0,
                    content_hash="h", state=state,
                )
            )  # fmt: skip
        session.flush()
        session.add(Sending(datapoint_id=4, epoch=1, value=1.0, sent_at=NOW - 5))
        session.add(Sending(datapoint_id=4, epoch=1, value=1.0, sent_at=NOW - 2 * DAY))
        for name, seen in (("alive", NOW - 2), ("gone", NOW - 60)):
            session.add(
                Worker(name=name, queues="urgent", slots=8, busy=3, started_at=0, seen_at=seen)
            )
        session.add(Quota(key="p:1", vendor="p", closed_until=NOW + 9))
        session.add(Quota(key="w:1", vendor="waggle", closed_until=NOW + 9))
        session.add(Breaker(subject="source:1", opened_at=NOW - 9))
        session.add(Breaker(subject="user:1"))
        session.add(User(id=2, username="bob", state="reauthorize"))
        session.flush()
        session.add(Source(id=2, user_id=2, name="s", provider="p", state="reauthorize"))
        first, second = session.get_one(Feed, 1), session.get_one(Feed, 2)
        first.state, first.reason, first.suspect = "failing", "set_aside", True
        second.suspect, second.lane, second.due_at = True, 0, NOW - 30
        second.last_synced_at = NOW - 77


def test_every_figure_counts_what_it_says(ledger, house):
    """What is open however old it is, what ended yesterday, and nothing of ours among gates."""
    with ledger.read() as session:
        found = standing.standing(session, NOW)
    assert found.inbox == {"received": 1, "working": 1, "done": 1, "failed": 1, "dead": 0}
    assert found.outbox == {"pending": 1, "held": 1, "rejected": 1}
    assert (found.sent, found.progressed_at) == (1, NOW - 77)
    assert (found.workers, found.slots, found.busy) == (1, 8, 3)
    assert (found.gates, found.breakers, found.links, found.logins) == (1, 1, 1, 1)
    assert (found.suspects, found.set_aside) == (1, 1)
    assert found.oldest_due > DAY


def test_an_empty_house_is_all_zeros(ledger):
    """Nothing is missing and nothing fails where there is nothing."""
    with ledger.read() as session:
        found = standing.standing(session, NOW)
        assert [queue.due for queue in standing.queues(session, NOW)] == [0, 0, 0, 0]
    assert set(found.inbox.values()) | set(found.outbox.values()) == {0}
    assert (found.progressed_at, found.workers, found.oldest_due) == (None, 0, 0.0)


def test_queues_tell_what_waits_and_for_how_long(ledger, house):
    """By lane; what no feed answers yet is told apart."""
    with ledger.read() as session:
        queues = {queue.lane: queue for queue in standing.queues(session, NOW)}
        workers = [worker.name for worker in standing.known_workers(session, limit=9)]
    assert (queues["urgent"].due, queues["urgent"].oldest) == (1, 30.0)
    assert (queues["inbox"].due, queues["inbox"].oldest) == (1, 2 * DAY)
    assert (queues["bulk"].due, queues["bulk"].oldest) == (0, 0.0)
    assert workers == ["alive", "gone"]


def test_figures_ask_as_often_however_much_there_is(ledger, house):
    """More events, points and workers are no more questions."""
    with statements(ledger) as few, ledger.read() as session:
        standing.standing(session, NOW)
    with ledger.write() as session:
        for number in range(40):
            event(session, -number, "failed")
            session.add(Worker(name=f"{number}", queues="", slots=1, started_at=0, seen_at=NOW))
    with statements(ledger) as many, ledger.read() as session:
        standing.standing(session, NOW)
    assert len(many) == len(few)
