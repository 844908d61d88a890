"""Sendings: every try to write a datapoint is remembered, and none is believed unanswered."""

import pytest
from sqlmodel import select

from db import outbox, sendings
from db.engine import Ledger
from db.models_points import Sending
from tests.db.test_feeds import NOW
from tests.db.test_outbox import Outbox, point


@pytest.fixture
def box(ledger: Ledger) -> Outbox:
    """An outbox."""
    return Outbox(ledger)


def tries(box: Outbox) -> list[Sending]:
    """Every try, the first one first."""
    with box.ledger.read() as session:
        return list(session.exec(select(Sending).order_by(Sending.id)))


def open_values(box: Outbox) -> set[float]:
    """What may be at Beeminder although nobody heard of it."""
    with box.ledger.read() as session:
        return sendings.unanswered(session, [box.row.id or 0]).get(box.row.id or 0, set())


def test_a_try_is_written_down_before_it_is_made(box: Outbox) -> None:
    """Begun and not answered: counted, nothing is believed to be there, the value may be."""
    box.record(point())
    box.push(lands=False, epoch=3)

    (one,) = tries(box)
    assert (one.epoch, one.value, one.comment, one.sent_at) == (3, 1.0, "c", NOW)
    assert (one.answered_at, one.status) == (None, None)
    row = box.row
    assert (row.attempts, row.sent_value, row.landed_hash, row.landed_value) == (1, 1.0, None, None)
    assert open_values(box) == {1.0}


def test_an_answer_closes_the_try_it_belongs_to(box: Outbox) -> None:
    """Status and time stand with the try of this claim; the value is known to be there."""
    box.record(point())
    box.push(epoch=3, now=NOW + 5)

    (one,) = tries(box)
    assert (one.status, one.answered_at) == ("created", NOW + 5)
    assert (box.row.state, box.row.landed_value, box.row.landed_at) == ("landed", 1.0, NOW + 5)
    assert open_values(box) == set()


def test_the_earlier_value_stays_known_while_the_next_is_under_way(box: Outbox) -> None:
    """Between a push and its answer one of two values is there, and both are remembered."""
    box.record(point())
    box.push()
    box.record(point(2.0))
    box.push(lands=False, epoch=2)

    assert (box.row.landed_value, box.row.sent_value, box.row.landed_hash) == (1.0, 2.0, None)
    assert open_values(box) == {2.0}


def test_an_answer_of_another_claim_closes_nothing(box: Outbox) -> None:
    """A late worker's try stays open beside that of its successor, which has its answer."""
    box.record(point())
    box.push(lands=False, epoch=1)
    box.record(point(2.0))
    box.push(epoch=2, now=NOW + 10)

    assert [one.status for one in tries(box)] == [None, "created"]
    assert open_values(box) == {1.0}


@pytest.mark.parametrize(("age", "open_"), [(59.0, {1.0}), (61.0, set())])
def test_what_can_not_be_under_way_any_more_is_closed_by_a_later_landing(
    box: Outbox, age: float, open_: set[float]
) -> None:
    """A minute later no push is under way: what landed since has written over it."""
    box.record(point())
    box.push(lands=False, epoch=1)
    box.record(point(2.0))
    box.push(epoch=2, now=NOW + age)

    assert open_values(box) == open_
    assert tries(box)[0].status == (None if open_ else sendings.UNKNOWN)


def test_a_refusal_is_remembered_with_its_reason(box: Outbox) -> None:
    """The row is rejected, and the try says why and under which of Beeminder's names."""
    box.record(point())
    box.push(lands=False)
    with box.ledger.write() as session:
        sendings.mark_rejected(
            session,
            point_id=box.row.id or 0,
            error="frozen goal",
            epoch=1,
            now=NOW,
            request_id="req-1",
        )

    (one,) = tries(box)
    assert (one.status, one.error, one.request_id) == ("refused", "frozen goal", "req-1")
    assert (box.row.state, box.row.error) == ("rejected", "frozen goal")
    assert open_values(box) == set()


@pytest.mark.parametrize(
    ("before", "garbled", "sent"),
    [("nothing", False, None), ("landed", False, 1.0), ("lost", False, 2.0), ("landed", True, 2.0)],
)
def test_what_was_refused_is_not_there(
    box: Outbox, *, before: str, garbled: bool, sent: float | None
) -> None:
    """It is not what a later value corrects; what may be there for another reason still is."""
    if before != "nothing":
        box.record(point())
        box.push(lands=before == "landed")
    box.record(point(2.0))
    box.push(lands=False, epoch=2)
    facts = {"error": "no", "epoch": 2, "now": NOW, "garbled": garbled}
    with box.ledger.write() as session:
        sendings.mark_rejected(session, point_id=box.row.id or 0, **facts)
    assert box.row.sent_value == sent


@pytest.mark.parametrize(("how", "there"), [("edited", 9.0), ("deleted", None)])
def test_a_frozen_point_is_a_persons(box: Outbox, how: str, there: float | None) -> None:
    """What they made of it is what is there, and nothing of it is pending."""
    box.record(point())
    box.push()
    box.record(point(2.0))
    with box.ledger.write() as session:
        sendings.freeze(session, point_id=box.row.id or 0, how=how, there=there, why="yours")

    row = box.row
    assert (row.state, row.frozen, row.error) == ("withdrawn", how, "yours")
    assert (row.landed_value, row.landed_hash) == (there, None)
    with box.ledger.read() as session:
        assert outbox.pending(session, box.feed_id) == []


def test_nothing_is_unanswered_of_points_that_were_never_sent(box: Outbox) -> None:
    """An empty question, and a point that only waits."""
    box.record(point())
    assert open_values(box) == set()
    with box.ledger.read() as session:
        assert sendings.unanswered(session, []) == {}
