"""Feeds behind gates that are closed, as several tests of the ledger set them up."""

from db.engine import Ledger
from db.models import Event, Feed, Source
from db.models_limits import Quota
from tests.db.test_feeds import NOW

KEY = "bemserver:0123456789abcdef01234567"


def shut(ledger: Ledger, *, until: float = NOW + 60, key: str = KEY, **more: object) -> None:
    """A limit closes this gate; all sources are counted under KEY."""
    with ledger.write() as session:
        for number in (1, 2):
            source = session.get(Source, number)
            if source is not None:
                source.quota_key = KEY
        row = session.get(Quota, key) or Quota(key=key, vendor=key.partition(":")[0])
        row.closed_at, row.closed_until = NOW - 1, until
        for name, value in more.items():
            setattr(row, name, value)
        session.add(row)


def change(ledger: Ledger, feed_id: int, **columns: object) -> None:
    """Another state of a feed."""
    with ledger.write() as session:
        feed = session.get_one(Feed, feed_id)
        for name, value in columns.items():
            setattr(feed, name, value)


def event(ledger: Ledger, event_id: str) -> Event:
    """The event as it stands."""
    with ledger.read() as session:
        return session.get_one(Event, event_id)
