"""What the ledger remembers of a feed's days, put together for a decision about them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import String, and_, bindparam, or_, select
from sqlmodel import Session, col

from db import stored
from db.models import Feed
from db.models_points import Datapoint, Day
from db.once import Once
from db.outbox import Action, Judged
from db.states import DatapointState
from db.stored import StoredDay, StoredPoint
from tasks import identity
from tasks.bounds import Known
from tasks.days import Window
from tasks.decide import Past, Rules, Verdict
from tasks.fit import Shape
from tasks.providers import Reading


@dataclass(slots=True)
class Memory:
    """Rows of one feed: its days and points from some day on, and its last point before that."""

    days: dict[str, StoredDay] = field(default_factory=dict)
    points: list[StoredPoint] = field(default_factory=list)
    before: list[StoredPoint] = field(default_factory=list)

    def bounds(self) -> dict[str, Known]:
        """The days with the bounds they had when they were read."""
        return {
            row.daystamp: Known(Window(row.daystamp, row.starts_at, row.ends_at), row.seen_at)
            for row in self.days.values()
        }

    def by_requestid(self) -> dict[str, StoredPoint]:
        """The points that the decision may be about."""
        return {row.requestid: row for row in self.points}


# Named once: to make a statement costs more than to ask with it, and each sync asks.
_DAYS = Once(
    select(*stored.DAY).where(
        col(Day.feed_id) == bindparam("of_feed"), col(Day.daystamp) >= bindparam("since")
    )
)
_OURS = col(Datapoint.feed_id) == bindparam("of_feed")
_FIRST = bindparam("first", type_=String())
_LAST_BEFORE = (
    select(col(Datapoint.id))
    .where(
        _OURS,
        col(Datapoint.daystamp) < _FIRST,
        or_(col(Datapoint.landed_value).is_not(None), col(Datapoint.content_hash) != ""),
        col(Datapoint.frozen).is_distinct_from("deleted"),
    )
    .order_by(col(Datapoint.daystamp).desc(), col(Datapoint.id).desc())
    .limit(1)
    .correlate(None)
    .scalar_subquery()
)
_POINTS = Once(
    select(*stored.POINT)
    # Each branch names its index in full: else one of them reads all that the feed has.
    .where(
        or_(
            and_(_OURS, col(Datapoint.daystamp) >= _FIRST),
            and_(_OURS, col(Datapoint.daystamp).is_(None)),
            col(Datapoint.id) == _LAST_BEFORE,
        )
    )
    .order_by(col(Datapoint.daystamp), col(Datapoint.id))
)


def load_days(session: Session, feed_id: int, *, since: str) -> Memory:
    """The days of a feed from `since` (YYYYMMDD) on."""
    rows = stored.days(session, _DAYS, {"of_feed": feed_id, "since": since})
    return Memory(days={row.daystamp: row for row in rows})


def load_points(session: Session, memory: Memory, feed_id: int, first: str) -> None:
    """The feed's points from the day `first` on, and the last one before it."""
    rows = stored.points(session, _POINTS, {"of_feed": feed_id, "first": first})
    memory.points = [row for row in rows if (row.daystamp or first) >= first]
    memory.before = [row for row in rows if (row.daystamp or first) < first]


def remember(memory: Memory, rows: Sequence[Datapoint], first: str) -> None:
    """Go on as if these stood in the ledger as the feed's; `first` as in `load_points`."""
    learned = {row.requestid: stored.point_of(row) for row in rows}
    memory.points = [learned.pop(row.requestid, row) for row in memory.points]
    memory.before = [learned.pop(row.requestid, row) for row in memory.before]
    new = learned.values()
    memory.points += [row for row in new if (row.daystamp or first) >= first]
    earlier = [row for row in new if (row.daystamp or first) < first and _stands(row)]
    earlier += memory.before
    memory.before = sorted(earlier, key=lambda row: row.daystamp or "", reverse=True)[:1]


def _stands(row: StoredPoint) -> bool:
    """Is it there, or about to be? The same as in `load_points`."""
    return bool(row.landed_value is not None or row.content_hash) and row.frozen != "deleted"


def past_of(memory: Memory, shape: Shape, feed: Feed, windows: Sequence[Window]) -> Past:
    """What a decision about these days has to know."""
    stamps = {window.daystamp for window in windows}
    return Past(
        there=frozenset(
            row.daystamp
            for row in memory.points
            if row.daystamp is not None and row.landed_value is not None
        ),
        read={
            stamp: Reading(row.value, row.unit)
            for stamp, row in memory.days.items()
            if stamp in stamps and row.value is not None
        },
        pinned=frozenset(stamp for stamp, row in memory.days.items() if row.pinned),
        ids={
            row.daystamp: row.requestid
            for row in memory.points
            if row.daystamp in stamps
            and row.timestamp is None
            and (row.landed_value is not None or row.sent_value is not None or row.frozen)
        },
        before=_before(memory, shape, feed, windows),
    )


def _before(memory: Memory, shape: Shape, feed: Feed, windows: Sequence[Window]) -> float | None:
    """The total, or the reading, that stood before the first of these days."""
    if not windows:
        return None
    first = windows[0].daystamp
    began = str(feed.cursor.get("running_from", first))
    if shape == Shape.DIFFERENCE:
        readings = [
            row.value
            for stamp, row in sorted(memory.days.items())
            if began <= stamp < first and row.value is not None
        ]
        return readings[-1] if readings else None
    if shape == Shape.RUNNING:
        for row in memory.before:
            if (row.daystamp or "") >= began:
                return _intended(row)
        base: float | None = feed.cursor.get("base")
        return base
    return None


def kept_back(memory: Memory) -> StoredPoint | None:
    """The last point before the days that are looked at, while it waits for a person."""
    return next((row for row in memory.before if row.state == DatapointState.HELD), None)


def _intended(row: StoredPoint) -> float:
    """What a point says, and what is there where that is kept back or is a person's."""
    kept = row.state in (DatapointState.HELD, DatapointState.WITHDRAWN)
    return row.landed_value if kept and row.landed_value is not None else row.value


def stands(
    memory: Memory, rules: Rules, past: Past, verdicts: Sequence[Verdict], judged: Sequence[Judged]
) -> float | None:
    """What the day after these goes on from, once they are judged: a total, or a reading.

    A day that is not written stays as it is at Beeminder. A running total goes on from there. A
    difference is taken from the reading that what is there amounts to, so that the next day does
    not make up for a change that is kept back; what a person, or another meter, made of a day is
    no reading.
    """
    sent = {one.point.requestid: one.point.value for one in judged if one.action == Action.SEND}
    rows = memory.by_requestid()
    at = past.before
    for verdict in verdicts:
        written = [point.requestid for point in verdict.points if point.requestid in sent]
        row = rows.get(past.ids.get(verdict.day.daystamp, ""))
        reading = verdict.reading.value
        if rules.shape == Shape.RUNNING:
            there = None if row is None or row.frozen == "deleted" else _there(row)
            after = sent[written[-1]] if written else there
        elif written or not verdict.points or row is None or not _read(row, rules):
            after = reading
        else:
            there = _there(row)
            after = reading if there is None or at is None else at + there
        at = at if after is None else after
    return at


def _read(row: StoredPoint, rules: Rules) -> bool:
    """Is what is there made of readings of this count?"""
    return row.frozen is None and identity.of_feed(row.requestid, rules.digest)


def _there(row: StoredPoint) -> float | None:
    return row.sent_value if row.landed_value is None else row.landed_value
