"""The outbox: one row per fact, pending until Beeminder is known to hold what it should."""

import pytest
from sqlmodel import select

from db import outbox, recording, sendings
from db.engine import Ledger
from db.models import Feed
from db.models_points import Datapoint, Day
from db.outbox import Action, Judged, Point
from db.recording import SeenDay
from db.sendings import Answered
from db.states import DatapointState
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

    def record(self, *points: Point, action: Action = Action.SEND, why: str | None = None) -> int:
        """Record what was judged like this; how many changed."""
        judged = [Judged(point, action, why) for point in points]
        with self.ledger.write() as session:
            recorded = recording.record(
                session,
                goal_id=self.goal_id,
                feed_id=self.feed_id,
                days=(),
                judged=judged,
                read_at=NOW,
                now=NOW,
            )
            assert recorded.pending == outbox.pending(session, self.feed_id)
        return recorded.changed

    def push(self, *, lands: bool = True, epoch: int = 1, now: float = NOW) -> None:
        """Send all that is pending; the answer may be lost."""
        with self.ledger.write() as session:
            rows = outbox.pending(session, self.feed_id)
            sendings.begin(session, rows, epoch=epoch, now=now)
            sent = [(row.id or 0, row.content_hash) for row in rows]
        if lands:
            for point_id, sent_hash in sent:
                self.land(point_id, sent_hash, epoch=epoch, now=now)

    def land(
        self,
        point_id: int,
        sent_hash: str,
        *,
        epoch: int = 1,
        now: float = NOW,
        beeminder_id: str | None = "b",
    ) -> None:
        """Beeminder says that it has it; as a duplicate it names no id."""
        status = "duplicate" if beeminder_id is None else "created"
        answered = Answered(sent_hash=sent_hash, status=status, beeminder_id=beeminder_id)
        with self.ledger.write() as session:
            sendings.mark_landed(session, {point_id: answered}, epoch=epoch, now=now)

    def read(self, *keeps: str, value: float | None = None) -> None:
        """The source was read, and the day came to these points."""
        day = SeenDay(
            daystamp="20261120",
            starts_at=0.0,
            ends_at=NOW,
            value=value,
            keeps=frozenset(keeps),
        )
        self.see(day, NOW)

    def see(self, day: SeenDay, now: float) -> None:
        """The source was read then, and said this."""
        with self.ledger.write() as session:
            recorded = recording.record(
                session,
                goal_id=self.goal_id,
                feed_id=self.feed_id,
                days=[day],
                judged=(),
                read_at=now,
                now=now,
            )
            assert recorded.pending == outbox.pending(session, self.feed_id)

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
    box.push(lands=False)
    box.record(point(2.0))
    box.land(box.row.id or 0, sent)
    assert (box.row.state, box.row.landed_hash) == ("pending", sent)
    assert (box.row.value, box.row.landed_value) == (2.0, 1.0)


def test_an_id_that_is_known_is_not_forgotten(box: Outbox) -> None:
    """A resend that is refused as a duplicate names no id."""
    box.record(point())
    box.push()
    box.land(box.row.id or 0, box.row.content_hash, beeminder_id=None)
    assert box.row.beeminder_id == "b"


def test_a_refused_point_is_tried_again(box: Outbox) -> None:
    """The same value after a refusal is pending: the goal may take it now."""
    box.record(point())
    box.push(lands=False)
    with box.ledger.write() as session:
        sendings.mark_rejected(session, point_id=box.row.id or 0, error="frozen", epoch=1, now=NOW)
    assert (box.row.state, box.row.error) == ("rejected", "frozen")
    assert box.record(point()) == 1
    assert (box.row.state, box.row.error, box.row.attempts) == ("pending", None, 0)


def test_what_is_held_is_not_pushed(box: Outbox) -> None:
    """It says why, since when, and what is at Beeminder; the same again changes nothing."""
    box.record(point())
    box.push()
    assert box.record(point(0.5), action=Action.HOLD, why="worse") == 1
    with box.ledger.read() as session:
        assert outbox.pending(session, box.feed_id) == []
    row = box.row
    assert (row.state, row.held_at, row.error) == ("held", NOW, "worse")
    assert (row.value, row.landed_value) == (0.5, 1.0)
    assert box.record(point(0.5), action=Action.HOLD, why="worse") == 0


def test_a_hold_ends_with_its_reason(box: Outbox) -> None:
    """The source takes the change back, or tells a better one."""
    box.record(point())
    box.push()
    box.record(point(0.5), action=Action.HOLD, why="worse")
    box.record(point())
    assert (box.row.state, box.row.held_at, box.row.error) == ("landed", None, None)

    box.record(point(0.5), action=Action.HOLD, why="worse")
    box.record(point(2.0))
    assert (box.row.state, box.row.held_at, box.row.error) == ("pending", None, None)


def test_what_is_left_alone_has_no_row_of_its_own(box: Outbox) -> None:
    """A point that is not wanted makes none, and changes none but one that was held."""
    assert box.record(point(), action=Action.LEAVE) == 0
    with box.ledger.read() as session:
        assert session.exec(select(Datapoint)).all() == []
    box.record(point())
    box.push()
    box.record(point(0.5), action=Action.HOLD, why="worse")
    box.record(point(0.5), action=Action.LEAVE)
    assert (box.row.state, box.row.value, box.row.held_at) == ("landed", 1.0, None)


def test_a_value_that_vanished_stays_if_it_landed(box: Outbox) -> None:
    """What the source takes back is not taken back at Beeminder."""
    box.record(point())
    box.push()
    box.record(point(2.0))
    box.read()
    assert (box.row.state, box.row.value, box.row.landed_value) == ("landed", 1.0, 1.0)


@pytest.mark.parametrize("action", [Action.SEND, Action.HOLD])
def test_a_value_that_vanished_before_it_was_sent_is_withdrawn(box: Outbox, action: Action) -> None:
    """It never was anywhere; found again, it is sent."""
    box.record(point(), action=action)
    box.read()
    assert box.row.state == "withdrawn"
    assert box.record(point()) == 1
    assert box.row.state == "pending"


def test_a_value_that_the_source_still_has_is_kept(box: Outbox) -> None:
    """Reading the same again withdraws nothing."""
    box.record(point())
    box.read("wg-1", value=1.0)
    assert box.row.state == "pending"


@pytest.mark.parametrize("action", [Action.SEND, Action.HOLD])
def test_after_an_unanswered_push_a_vanished_value_is_settled(box: Outbox, action: Action) -> None:
    """One of two values is at Beeminder: the one that was sent is sent again, no newer one."""
    box.record(point())
    box.push()
    box.record(point(2.0))
    box.push(lands=False)
    box.record(point(3.0), action=action)
    box.read()
    assert (box.row.state, box.row.value, box.row.held_at) == ("pending", 2.0, None)
    assert box.row.content_hash == point(2.0).content_hash


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
        box.see(day, now)
        with box.ledger.read() as session:
            return session.get_one(Day, (box.feed_id, "20261120"))

    see(0.0, 100.0, 1.0, now=50.0)
    moved = see(10.0, 110.0, 2.0, now=60.0)
    kept = see(20.0, 120.0, 3.0, now=110.0)

    assert (moved.starts_at, moved.ends_at) == (10.0, 110.0)
    assert (kept.starts_at, kept.ends_at, kept.value) == (10.0, 110.0, 3.0)
