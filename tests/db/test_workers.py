"""Workers: who lives, how many slots are free, and who is forgotten."""

from db import workers
from db.engine import Ledger
from db.models import Worker

NOW = 1_800_000_000.0


def counts(ledger: Ledger, now: float) -> tuple[int, int]:
    """(living workers, free slots)."""
    with ledger.read() as session:
        return workers.alive(session, now), workers.free_slots(session, now)


def test_free_slots_are_those_of_the_living(ledger: Ledger) -> None:
    """Busy slots are not free, and the slots of a silent worker are nobody's."""
    assert counts(ledger, NOW) == (0, 0)
    with ledger.write() as session:
        for name, at in (("a", NOW), ("b", NOW - 14)):
            workers.register(
                session, Worker(name=name, queues="urgent", slots=4, started_at=at, seen_at=at)
            )
    with ledger.write() as session:
        workers.beat(session, name="a", busy=3, now=NOW)

    assert counts(ledger, NOW) == (2, 5)
    assert counts(ledger, NOW + 2) == (1, 1)
    assert counts(ledger, NOW + 60) == (0, 0)


def test_the_dead_are_forgotten_and_the_leaving_at_once(ledger: Ledger) -> None:
    """Ten silent minutes, or a goodbye."""
    with ledger.write() as session:
        for name, at in (("old", NOW - 601), ("here", NOW), ("leaving", NOW)):
            workers.register(
                session, Worker(name=name, queues="urgent", slots=1, started_at=at, seen_at=at)
            )
    with ledger.write() as session:
        workers.forget_dead(session, NOW)
        workers.leave(session, "leaving")
        assert session.get(Worker, "old") is None
    assert counts(ledger, NOW) == (1, 1)


def test_a_queue_that_nobody_listens_to_is_known(ledger: Ledger) -> None:
    """By the whole name of it, and not from a worker that is dead."""
    with ledger.write() as session:
        for name, queues, at in (("a", "urgent,progress", NOW), ("b", "default", NOW - 60)):
            workers.register(
                session, Worker(name=name, queues=queues, slots=1, started_at=at, seen_at=at)
            )
    with ledger.read() as session:
        assert workers.anybody_on(session, "progress", NOW)
        assert not workers.anybody_on(session, "default", NOW)
        assert not workers.anybody_on(session, "gent", NOW)
        assert not workers.anybody_on(session, "progress", NOW + 60)
