"""After an approval: totals that went on without the correction are read again.

While a correction is kept back the days after it go on from what is at Beeminder. Once it passes
they have to move as well, also those that no sync looks at any more: they are asked for as past
days.
"""

from collections.abc import Sequence

from sqlmodel import Session

from db import backfills
from db.models import Backfill, Feed
from db.models_points import Datapoint
from tasks.fit import Shape


def read_on(
    session: Session, feed: Feed, approved: Sequence[Datapoint], *, now: float
) -> Backfill | None:
    """Have the days from the first of these approved ones to today read again.

    None where no day builds on another; the feed's open backfill where there is one already.
    """
    stamps = sorted(row.daystamp for row in approved if row.daystamp and row.feed_id == feed.id)
    if not stamps or feed.cursor.get("shape") != Shape.RUNNING:
        return None
    feed_id = feed.id or 0
    try:  # a running total is read on to today by itself
        return backfills.ask(session, feed_id, first=stamps[0], last=stamps[-1], now=now)
    except backfills.OtherBackfillError:
        return backfills.open_for(session, [feed_id])[0]
