"""What a sync writes down: the same few statements, however much it read.

What becomes of days and points stands in `test_outbox`, whose outbox is filled by it.
"""

from db import outbox, recording
from db.engine import Ledger
from db.models import Feed
from db.outbox import Judged, Point
from db.recording import Recorded, SeenDay
from tests.db.counting import statements
from tests.db.test_feeds import NOW, fill


def record(ledger: Ledger, days: int, value: float) -> Recorded:
    """So many days, each with a point of its own."""
    stamps = [f"202611{number:02}" for number in range(1, days + 1)]
    seen = [
        SeenDay(daystamp=stamp, starts_at=0.0, ends_at=NOW, value=value, keeps=frozenset({stamp}))
        for stamp in stamps
    ]
    points = [Judged(Point(requestid=at, value=value, comment="c", daystamp=at)) for at in stamps]
    with ledger.write() as session:
        feed = session.get_one(Feed, 1)
        return recording.record(
            session,
            goal_id=feed.goal_id,
            feed_id=1,
            days=seen,
            judged=points,
            read_at=NOW,
            now=NOW,
        )


def test_many_days_take_no_more_statements_than_one(ledger: Ledger) -> None:
    """Thirty new days, and thirty that changed, are written by as many statements as one."""
    fill(ledger)
    sent = []
    for days, value in ((1, 1.0), (1, 2.0), (30, 3.0), (30, 4.0)):
        with statements(ledger, written=True) as asked:
            record(ledger, days, value)
        sent.append(len(asked))

    assert max(sent[2:]) <= max(sent[:2]) + 1  # one that is new beside one that changed


def test_what_waits_then_is_told(ledger: Ledger) -> None:
    """Nobody has to ask for what is to be sent: the oldest day first, as the outbox has it."""
    fill(ledger)

    first, again = record(ledger, 3, 1.0), record(ledger, 3, 1.0)

    assert (first.changed, again.changed) == (3, 0)
    assert [one.daystamp for one in first.pending] == ["20261101", "20261102", "20261103"]
    with ledger.read() as session:
        assert again.pending == outbox.pending(session, 1)
    assert first.held == []
