"""What the ledger says is at Beeminder, and what is: told apart, point by point. Pure.

Only our own points are looked at. A changed comment is no difference, and a value that one of our
own pushes may have left there is not a person's edit.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import clients
from db.models_points import Datapoint
from db.states import DatapointState


class Kind(StrEnum):
    """How a point stands. The first four are no differences."""

    LANDED = "landed"  # there as the ledger says
    PENDING = "pending"  # is about to be written
    HELD = "held"  # a correction that waits for a person
    REJECTED = "rejected"  # Beeminder did not take it
    MISSING = "missing"  # confirmed once, and never seen there
    LATE = "late"  # an older value of ours, from a push whose answer was lost
    DELETED = "deleted"  # it was there, and somebody took it away
    EDITED = "edited"  # somebody gave it another value, or moved it to another day
    MOVED = "moved"  # it counts for another day although its time is as it was
    FOREIGN = "foreign"  # named like ours, but not by this ledger


WAITING = frozenset({Kind.PENDING, Kind.HELD, Kind.REJECTED})
DIFFERENT = frozenset(
    {Kind.MISSING, Kind.LATE, Kind.DELETED, Kind.EDITED, Kind.MOVED, Kind.FOREIGN}
)


@dataclass(frozen=True, slots=True)
class Span:
    """One day of one feed as it was when it was read; instants are UTC seconds."""

    starts_at: float
    ends_at: float
    pinned: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One point: what is at Beeminder, and its row in the ledger; None where there is none.

    `finished`: its day is over. `pinned`: a person wants the day left as it is.
    """

    kind: Kind
    requestid: str
    there: clients.Datapoint | None
    row: Datapoint | None
    finished: bool = True
    pinned: bool = False

    @property
    def daystamp(self) -> str:
        """The day that the ledger has the point on, else the one at Beeminder."""
        if self.row is not None and self.row.daystamp is not None:
            return self.row.daystamp
        return "" if self.there is None else self.there.daystamp


def compare(
    rows: Sequence[Datapoint],
    there: Mapping[str, clients.Datapoint],
    *,
    spans: Mapping[tuple[int, str], Span],
    now: float,
    unanswered: Mapping[int, Collection[float]] | None = None,
) -> list[Finding]:
    """Every point of one goal, by day. `rows` are all rows of the goal.

    `there`: what Beeminder holds of ours, by requestid. `spans`: the days by feed and daystamp; a
    day without one counts as finished. `unanswered`: what was sent for a row and never answered.
    """
    found = []
    for row in rows:
        point = there.get(row.requestid)
        span = spans.get((row.feed_id, row.daystamp or ""))
        kind = _kind(row, point, span, (unanswered or {}).get(row.id or 0, ()))
        if kind is not None:
            found.append(
                Finding(
                    kind=kind,
                    requestid=row.requestid,
                    there=point,
                    row=row,
                    finished=span is None or span.ends_at <= now,
                    pinned=span is not None and span.pinned,
                )
            )
    known = {row.requestid for row in rows}
    found += [
        Finding(kind=Kind.FOREIGN, requestid=requestid, there=point, row=None)
        for requestid, point in there.items()
        if requestid not in known
    ]
    return sorted(found, key=lambda finding: (finding.daystamp, finding.requestid))


def _kind(
    row: Datapoint,
    point: clients.Datapoint | None,
    span: Span | None,
    unanswered: Collection[float],
) -> Kind | None:
    """How a row stands, None for one about which the ledger claims nothing."""
    if row.state == DatapointState.WITHDRAWN and row.frozen is None:
        return None
    if point is None:
        return None if is_accepted(row) else _absent(row)
    elsewhere = row.daystamp is not None and point.daystamp != row.daystamp
    if elsewhere and not _time_is_kept(row, point, span):
        return Kind.EDITED
    expected = _expected(row)
    if expected and not any(same(point.value, value) for value in expected):
        late = any(same(point.value, value) for value in unanswered)
        return Kind.LATE if late and row.frozen is None else Kind.EDITED
    if elsewhere:
        return Kind.MOVED
    return Kind.LANDED if row.frozen is not None else Kind(row.state)


def is_accepted(row: Datapoint) -> bool:
    """Was it deleted, and has a person said that this is how it is?"""
    return row.frozen is not None and row.dropped_hash == row.content_hash


def _absent(row: Datapoint) -> Kind:
    if row.frozen is not None or row.beeminder_id is not None:
        return Kind.DELETED
    if row.state == DatapointState.LANDED:
        return Kind.MISSING
    return Kind(row.state)


def _expected(row: Datapoint) -> list[float]:
    """The values that we may have left there."""
    if row.frozen is not None:
        return [row.value]
    values = [row.landed_value]
    if row.landed_hash is None:
        values.append(row.sent_value)
    return [value for value in values if value is not None]


def _time_is_kept(row: Datapoint, point: clients.Datapoint, span: Span | None) -> bool:
    """Is the point's instant still within its day, as that was when it was sent?

    A zone or deadline that changed may give the same instant to another day; nobody moved it then.
    """
    if row.timestamp is not None:
        return point.timestamp == row.timestamp
    return span is not None and span.starts_at <= point.timestamp <= span.ends_at


def same(one: float, other: float) -> bool:
    """Equal as far as a number survives being stored and shown by somebody else."""
    return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)
