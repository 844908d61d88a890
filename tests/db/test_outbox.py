"""The outbox: one row per fact, pending until Beeminder is known to hold what it should."""

import pytest
from sqlmodel import select

from db import outbox
from db.engine import Ledger
from db.models import Datapoint, DatapointState, Day, Feed
from db.outbox import Point, SeenDay
from tests.db.test_feeds import NOW, fill


def point(value: float = 1.0, **more: object) -> Point:
    """A day's point."""
    facts = {"requestid": "wg-1", "value": value, "comment": "c", "daystamp": "20261120"}
    return Point(**(facts | more))


class Outbox:
    """The outbox of one feed, with every call in a transaction of its own."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        (self.feed_id,) = fill(ledger)
        with ledger.read() as session:
            self.goal_id = session.get_one(Feed, self.feed_id).goal_id

    def record(self, *points: Point) -> int:
        """Record; how many changed."""
        with self.ledger.write() as session:
            return outbox.record_points(
                session, goal_id=self.goal_id, feed_id=self.feed_id, points=points, now=NOW
            )

    def push(self, *, lands: bool = True) -> None:
        """Send all that is pending; the answer may be lost."""
        with self.ledger.write() as session:
            rows = outbox.pending(session, self.feed_id)
            outbox.begin_push(session, [row.id or 0 for row in rows], NOW)
            sent = [(row.id or 0, row.content_hash) for row in rows]
        if lands:
            with self.ledger.write() as session:
                for point_id, sent_hash in sent:
                    outbox.mark_landed(
                        session, point_id=point_id, sent_hash=sent_hash, beeminder_id="b", now=NOW
                    )

    @property
    def row(self) -> Datapoint:
        """The only row."""
        with self.ledger.read() as session:
            return session.exec(select(Datapoint)).one()


@pytest.fixture
def box(ledger: Ledger) -> Outbox:
    """An outbox."""
    return Outbox(ledger)


def test_an_unchanged_point_is_not_pending_again(box: Outbox) -> None:
    """The same content a second time changes nothing."""
    assert box.record(point()) == 1
    box.push()
    assert box.record(point()) == 0
    assert (box.row.state, box.row.attempts) == ("landed", 1)


@pytest.mark.parametrize("change", [{"value": 2.0}, {"comment": "d"}, {"daystamp": "20261121"}])
def test_any_change_makes_it_pending(box: Outbox, change: dict) -> None:
    """Value, comment and day are what Beeminder should hold."""
    box.record(point())
    box.push()
    assert box.record(point(**change)) == 1
    assert box.row.state == "pending"


def test_a_change_that_was_taken_back_before_the_push_is_landed(box: Outbox) -> None:
    """Nothing was sent in between: Beeminder holds the old content still."""
    box.record(point())
    box.push()
    box.record(point(2.0))
    box.record(point())
    assert box.row.state == "landed"


def test_after_an_unanswered_push_nothing_is_believed(box: Outbox) -> None:
    """The new content may or may not be there: the old one has to be sent again."""
    box.record(point())
    box.push()
    box.record(point(2.0))
    box.push(lands=False)
    box.record(point())
    assert box.row.state == "pending"


def test_a_point_that_changed_during_its_push_stays_pending(box: Outbox) -> None:
    """What landed is the older content."""
    box.record(point())
    sent = box.row.content_hash
    box.record(point(2.0))
    with box.ledger.write() as session:
        outbox.mark_landed(
            session, point_id=box.row.id or 0, sent_hash=sent, beeminder_id=None, now=NOW
        )
    assert (box.row.state, box.row.landed_hash) == ("pending", sent)


def test_an_id_that_is_known_is_not_forgotten(box: Outbox) -> None:
    """A resend that is refused as a duplicate names no id."""
    box.record(point())
    box.push()
    with box.ledger.write() as session:
        outbox.mark_landed(
            session,
            point_id=box.row.id or 0,
            sent_hash=box.row.content_hash,
            beeminder_id=None,
            now=NOW,
        )
    assert box.row.beeminder_id == "b"


def test_a_refused_point_is_tried_again(box: Outbox) -> None:
    """The same value after a refusal is pending: the goal may take it now."""
    box.record(point())
    with box.ledger.write() as session:
        outbox.mark_rejected(session, point_id=box.row.id or 0, error="frozen")
    assert (box.row.state, box.row.error) == ("rejected", "frozen")
    assert box.record(point()) == 1
    assert (box.row.state, box.row.error, box.row.attempts) == ("pending", None, 0)


def test_what_is_withdrawn_is_not_pushed_until_it_is_found_again(box: Outbox) -> None:
    """Withdrawn points are not pending; a later sync of the same value makes them so."""
    box.record(point())
    with box.ledger.write() as session:
        assert outbox.withdraw(session, [box.feed_id]) == 1
        assert outbox.withdraw(session, [box.feed_id]) == 0
        assert outbox.pending(session, box.feed_id) == []
    assert box.record(point()) == 1
    assert box.row.state == DatapointState.PENDING


def test_postponed_points_are_due_later_but_pending_all_the_same(box: Outbox) -> None:
    """The outbox leaves them alone until then; a sync does not."""
    box.record(point())
    with box.ledger.write() as session:
        outbox.postpone(session, [box.row.id or 0], due_at=NOW + 60, error="x")
    with box.ledger.read() as session:
        assert [row.requestid for row in outbox.pending(session, box.feed_id)] == ["wg-1"]
    assert box.row.due_at == NOW + 60


def test_points_go_out_oldest_day_first(box: Outbox) -> None:
    """However they were recorded."""
    stamps = ["20261120", "20261118", "20261119"]
    box.record(*[point(requestid=f"wg-{stamp}", daystamp=stamp) for stamp in stamps])
    with box.ledger.read() as session:
        rows = outbox.pending(session, box.feed_id)
    assert [row.daystamp for row in rows] == sorted(stamps)


def test_a_finished_day_keeps_the_bounds_it_had(box: Outbox) -> None:
    """A running day may move with its person; a finished one keeps its bounds, and gets values."""

    def see(start: float, end: float, value: float, now: float) -> Day:
        day = SeenDay(daystamp="20261120", starts_at=start, ends_at=end, value=value)
        with box.ledger.write() as session:
            outbox.record_days(session, box.feed_id, [day], now)
        with box.ledger.read() as session:
            return session.get_one(Day, (box.feed_id, "20261120"))

    see(0.0, 100.0, 1.0, now=50.0)
    moved = see(10.0, 110.0, 2.0, now=60.0)
    kept = see(20.0, 120.0, 3.0, now=110.0)

    assert (moved.starts_at, moved.ends_at) == (10.0, 110.0)
    assert (kept.starts_at, kept.ends_at, kept.value) == (10.0, 110.0, 3.0)
