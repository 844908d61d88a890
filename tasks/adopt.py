"""The first look at a goal: what it holds of this feed already is known from then on.

After a lost ledger and a fresh `apply` our points are at Beeminder and nowhere else. They are
recognised by their `requestid` and written down as landed, so nothing is sent that is there. The
look also tells where a running total starts: at the goal's last value before the feed's first day.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session, col
from sqlmodel import select as select_rows

import clients
from db.models import Datapoint, Feed
from db.outbox import Point
from db.states import DatapointState
from tasks import holdings, identity
from tasks.beeminder import Access
from tasks.decide import Rules


@dataclass(frozen=True, slots=True)
class Found:
    """What was at Beeminder: this feed's points, and what its `cursor` is to remember."""

    points: tuple[clients.Datapoint, ...]
    cursor: dict[str, Any]


def needed(feed: Feed, rules: Rules) -> bool:
    """Has this feed not been looked at since it counts like this?"""
    return feed.digest != rules.digest or feed.cursor.get("shape") != rules.shape.value


def look(access: Access, slug: str, feed: Feed, rules: Rules, *, first: str) -> Found:
    """Read the goal's points; `first` is the daystamp of the first day that is going to be sent.

    Raises the tree of `clients.errors`, and `DeferredError` when a limit says to wait.
    """
    points = holdings.all_points(access, slug)
    own = tuple(point for point in points if identity.of_feed(point.requestid, rules.digest))
    reshaped = feed.cursor.get("shape") not in (None, rules.shape.value)
    # A running total goes on from what the goal showed before; in another shape that was ours too.
    others = points if reshaped else [point for point in points if point not in own]
    earlier = [point for point in others if point.daystamp < first and not point.is_dummy]
    newest = max(earlier, key=lambda point: (point.daystamp, point.timestamp), default=None)
    began = first if reshaped else min([first, *(point.daystamp for point in own)])
    cursor = feed.cursor | {
        "shape": rules.shape.value,
        "base": None if newest is None else newest.value,
        "running_from": began,
    }
    return Found(own, cursor)


def rows(feed: Feed, found: Found, now: float) -> list[Datapoint]:
    """The points as rows that have landed, not by this ledger: `sent_at` is None."""
    return [_row(feed, point, now) for point in found.points]


def _row(feed: Feed, there: clients.Datapoint, now: float) -> Datapoint:
    requestid = there.requestid or ""
    of_a_day = requestid.endswith(f"-{there.daystamp}")
    point = Point(
        requestid=requestid,
        value=there.value,
        comment=there.comment,
        daystamp=there.daystamp,
        timestamp=None if of_a_day else there.timestamp,
    )
    return Datapoint(
        goal_id=feed.goal_id,
        feed_id=feed.id or 0,
        requestid=requestid,
        daystamp=point.daystamp,
        timestamp=point.timestamp,
        value=point.value,
        comment=point.comment,
        content_hash=point.content_hash,
        landed_hash=point.content_hash,
        landed_value=point.value,
        beeminder_id=there.id,
        state=DatapointState.LANDED.value,
        created_at=now,
        landed_at=float(there.updated_at or there.timestamp),
    )


def store(session: Session, feed: Feed, rules: Rules, found: Found, now: float) -> int:
    """Write it down, in the transaction of whoever holds the feed; returns how many were new."""
    known = {row.requestid: row for row in _known(session, feed, found.points)}
    new = 0
    for row in rows(feed, found, now):
        mine = known.get(row.requestid)
        if mine is None:
            session.add(row)
            new += 1
        elif mine.feed_id != feed.id:
            mine.feed_id = feed.id or 0  # it was another label's before
            session.add(mine)
    stored = session.get_one(Feed, feed.id)
    for target in (feed, stored):
        target.digest, target.cursor = rules.digest, dict(found.cursor)
    session.add(stored)
    session.flush()
    return new


def _known(
    session: Session, feed: Feed, points: Sequence[clients.Datapoint]
) -> Sequence[Datapoint]:
    return session.exec(
        select_rows(Datapoint).where(
            col(Datapoint.goal_id) == feed.goal_id,
            col(Datapoint.requestid).in_([point.requestid for point in points]),
        )
    ).all()
