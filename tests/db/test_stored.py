"""Plain rows of days and points say what the entities say."""

from sqlalchemy import select
from sqlmodel import col

from db import stored
from db.engine import Ledger
from db.models_points import Datapoint, Day
from db.once import Once
from db.stored import StoredDay, StoredPoint
from tests.db.test_feeds import NOW, fill


def test_a_point_is_all_of_its_row(ledger: Ledger) -> None:
    """No column is left out, each has its own value, and those of the entity are the same."""
    assert set(StoredPoint._fields) == set(Datapoint.model_fields)
    (feed_id,) = fill(ledger)
    facts = {"feed_id": feed_id, "goal_id": 1, "requestid": "wg-1", "content_hash": "x"}
    with ledger.write() as session:
        row = Datapoint(value=2.5, comment="c", daystamp="20261120", due_at=NOW, **facts)
        session.add(row)
        session.flush()
        (found,) = stored.points(session, Once(select(*stored.POINT)), {})

        assert found == stored.point_of(row)
        assert found._asdict() == {name: getattr(row, name) for name in StoredPoint._fields}


def test_a_day_is_what_a_decision_asks_for(ledger: Ledger) -> None:
    """Its bounds, its value, and whether a person has pinned it."""
    (feed_id,) = fill(ledger)
    with ledger.write() as session:
        session.add(Day(feed_id=feed_id, daystamp="20261120", starts_at=1.0, ends_at=2.0, value=3))
        session.flush()
        asked = select(*stored.DAY).where(col(Day.feed_id) == feed_id)

        assert stored.days(session, Once(asked), {}) == [
            StoredDay("20261120", 1.0, 2.0, 3.0, unit=None, pinned=False, seen_at=None)
        ]
