"""The first look at a goal: what it holds of this feed already is known from then on.

After a lost ledger and a fresh `apply` our points are at Beeminder and nowhere else. They are
recognised by their `requestid` and written down as landed, so nothing is sent that is there. The
look also tells where a running total starts: at the goal's last value before the feed's first day.

After an old ledger was restored (`Feed.restored`) it is older than what is at Beeminder: where the
two differ nobody knows whether a later push of ours or a person made it so. What is there counts,
as if it had been found; a finished day that the source sees otherwise is held.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session, col
from sqlmodel import select as select_rows

import clients
from db.models import Feed
from db.models_points import Datapoint
from db.outbox import Point
from db.states import DatapointState
from tasks import corrections, holdings, identity
from tasks.beeminder import Access
from tasks.decide import Rules


@dataclass(frozen=True, slots=True)
class Found:
    """What was at Beeminder: this feed's points, and what its `cursor` is to remember."""

    points: tuple[clients.Datapoint, ...]
    cursor: dict[str, Any]
    restored: bool = False


def needed(feed: Feed, rules: Rules) -> bool:
    """Has this feed not been looked at since it counts like this, or came out of a backup?"""
    changed = feed.digest != rules.digest or feed.cursor.get("shape") != rules.shape.value
    return changed or feed.restored


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
    return Found(own, cursor, restored=feed.restored)


def known(session: Session, feed: Feed, rules: Rules) -> list[Datapoint]:
    """What the ledger has of this count already, also under another label of the goal."""
    prefix = identity.requestid(rules.digest, "")
    return list(
        session.exec(
            select_rows(Datapoint).where(
                col(Datapoint.goal_id) == feed.goal_id, col(Datapoint.requestid).startswith(prefix)
            )
        )
    )


def merged(feed: Feed, mine: Sequence[Datapoint], found: Found, now: float) -> list[Datapoint]:
    """The rows of the ledger with what was found.

    What it did not know has landed, not by this ledger: `sent_at` is None. What a person did or
    decided before stands in the others; only of those about which nothing is known something is
    learned.
    """
    rows = {row.requestid: row for row in mine}
    for there in found.points:
        new = _row(feed, there, now)
        row = rows.setdefault(new.requestid, new)
        if row.landed_value is None and row.sent_value is None and row.frozen is None:
            row.landed_hash, row.landed_value = new.landed_hash, new.landed_value
            row.beeminder_id = new.beeminder_id
        elif found.restored and row is not new and row.frozen is None:
            _as_found(row, new, now)
    return list(rows.values())


def _as_found(row: Datapoint, new: Datapoint, now: float) -> None:
    """An old row is told what is there today. What it was about to say is a person's to decide."""
    known = row.landed_hash is not None and row.landed_value == new.landed_value
    row.beeminder_id = new.beeminder_id
    if known:
        return
    row.landed_hash, row.landed_value, row.landed_at = (
        new.landed_hash,
        new.landed_value,
        new.landed_at,
    )
    row.sent_value, row.sent_at = None, None
    row.approved_hash = None  # what was let pass was another step than it would be now
    waits = row.state in (DatapointState.PENDING, DatapointState.HELD)
    if waits and row.content_hash != new.content_hash:
        row.state, row.held_at, row.error = DatapointState.HELD, now, corrections.ADOPTED
    else:
        row.value, row.comment, row.content_hash = new.value, new.comment, new.content_hash
        row.state, row.held_at, row.error = DatapointState.LANDED, None, None


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


def store(session: Session, feed: Feed, rules: Rules, found: Found, now: float) -> None:
    """Write it down, in the transaction of whoever holds the feed: all of it is this feed's now."""
    for row in merged(feed, known(session, feed, rules), found, now):
        row.feed_id = feed.id or 0
        session.add(row)
    stored = session.get_one(Feed, feed.id)
    for target in (feed, stored):
        target.digest, target.cursor = rules.digest, dict(found.cursor)
        target.restored = False
    session.add(stored)
    session.flush()
