"""Workers and queues: who lives, what is due, for how long."""

from db.models import Feed, Worker


def test_workers_and_queues_are_told(operator, house, serving, words):
    """Name, queues, slots, version if known; the age of the oldest due work of each lane."""
    with serving.ledger.write() as session:
        session.add(
            Worker(
                name="w-1", queues="urgent,bulk", slots=16, busy=5, version="9.8.7",
                started_at=house.now - 3600, seen_at=house.now - 3,
            )
        )  # fmt: skip
        session.add(Worker(name="w-2", queues="x", slots=1, started_at=0, seen_at=house.now - 99))
        feed = session.get_one(Feed, 1)
        feed.lane, feed.due_at = 0, house.now - 90
        session.get_one(Feed, 2).due_at = house.now + 9
    text = words(operator.get("/operator/workers"))

    assert "w-1 urgent, bulk 5 of 16 3 s ago 1 h ago 9.8.7" in text
    assert "w-2 x 0 of 1 1 min ago" in text
    assert "not known" in text
    assert "urgent 1 1 min 30 s" in text
    assert "bulk 0 nothing waits" in text


def test_without_workers_it_says_what_to_do(operator, house, words):
    """Not an empty table."""
    assert "No worker runs" in words(operator.get("/operator/workers"))
