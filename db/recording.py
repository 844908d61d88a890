"""What a sync writes down once a source was read: its days, and what their points come to.

One read, and one write of each kind, however many days there are: every callback does this. The
statements are named once, since to make one costs more than to ask with it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, bindparam, case, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col

from db import outbox, stored
from db.models_points import Datapoint, Day
from db.once import Once
from db.one_or_many import OneOrMany
from db.outbox import Action, Judged, Point
from db.states import DatapointState
from db.stored import StoredPoint


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenDay:
    """What the source said of one Beeminder day; `value` None: it had nothing to say.

    `keeps`: the requestids that the day came to; what else of it was never sent is withdrawn.
    """

    daystamp: str
    starts_at: float
    ends_at: float
    value: float | None
    note: str | None = None
    unit: str | None = None
    keeps: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Recorded:
    """How many points changed, and what of the feed waits now: `pending`, the oldest day first, and
    `held`.
    """

    changed: int
    pending: list[StoredPoint]
    held: list[StoredPoint]


def _seen(table: Any) -> Any:  # noqa: ANN401 -- one of two types
    """A day that was finished when it was last read keeps its bounds."""
    new = table.excluded
    # The person may travel, or move a deadline, before it ends.
    runs = col(Day.ends_at) > new.seen_at
    return Once(
        table.on_conflict_do_update(
            index_elements=["feed_id", "daystamp"],
            set_={
                "starts_at": case((runs, new.starts_at), else_=col(Day.starts_at)),
                "ends_at": case((runs, new.ends_at), else_=col(Day.ends_at)),
                **{name: new[name] for name in ("value", "note", "unit", "epoch", "seen_at")},
            },
        )
    )


_SEEN = {"postgresql": _seen(postgresql.insert(Day)), "sqlite": _seen(sqlite.insert(Day))}

# Each branch names its index in full: else one of them reads all that the feed has.
_OF_FEED = col(Datapoint.feed_id) == bindparam("of_feed")
_CONCERNED = OneOrMany(
    lambda among: select(*stored.POINT).where(
        or_(
            and_(_OF_FEED, col(Datapoint.state) == DatapointState.PENDING),
            and_(_OF_FEED, col(Datapoint.state) == DatapointState.HELD),
            and_(col(Datapoint.goal_id) == bindparam("of_goal"), among(col(Datapoint.requestid))),
        )
    )
)

_TAKEN_BACK = ("value", "content_hash", "state", "held_at", "error")
_WRITTEN = (
    *("feed_id", "daystamp", "timestamp", "value", "comment", "content_hash", "state"),
    *("held_at", "frozen", "due_at", "attempts", "error"),
)


def _changing(names: Sequence[str]) -> Any:  # noqa: ANN401 -- SQLAlchemy's update
    return (
        update(Datapoint)
        .where(col(Datapoint.id) == bindparam("of_point"))
        .values({name: bindparam(f"new_{name}") for name in names})
    )


_TAKE_BACK = Once(_changing(_TAKEN_BACK))
_WRITE = Once(_changing(_WRITTEN))
_ADD = Once(insert(Datapoint).returning(*stored.POINT))


def record(
    session: Session,
    *,
    goal_id: int,
    feed_id: int,
    days: Sequence[SeenDay],
    judged: Sequence[Judged],
    read_at: float,
    now: float,
    epoch: int | None = None,
) -> Recorded:
    """Remember what was read at `read_at`, and put changed points into the outbox.

    A value that the source took back before it was sent is not sent; what is at Beeminder stays. A
    refused point is tried again: the goal may have been restarted.
    """
    _see(session, feed_id, days, read_at, epoch)
    ids = [one.point.requestid for one in judged]
    found = _CONCERNED.ask(session, ids, of_feed=feed_id, of_goal=goal_id)
    rows = [StoredPoint._make(row) for row in found]
    back = _take_back(rows, goal_id, feed_id, days, judged)
    rows = [_with(row, back.get(row.id)) for row in rows]
    known = {row.requestid: row for row in rows if row.goal_id == goal_id}
    written: dict[int, dict[str, Any]] = {}
    added: list[dict[str, Any]] = []
    for one in judged:
        row = known.get(one.point.requestid)
        new = _new(one, row, feed_id, now)
        if new is None:
            continue
        if row is None:
            added.append(_blank(goal_id, one.point, now) | new)
        else:
            written[row.id] = new
            known[row.requestid] = row._replace(**new)
    # What is written over need not be taken back before.
    _change(session, _TAKE_BACK, {key: to for key, to in back.items() if key not in written})
    _change(session, _WRITE, written)
    rows = [_with(row, written.get(row.id)) for row in rows]
    if added:
        made = _ADD.ask(session, added)
        rows += [StoredPoint._make(row) for row in made]
    mine = [row for row in rows if row.feed_id == feed_id]
    return Recorded(
        changed=len(written) + len(added),
        pending=sorted((row for row in mine if row.state == DatapointState.PENDING), key=_order),
        held=[row for row in mine if row.state == DatapointState.HELD],
    )


def _see(
    session: Session, feed_id: int, days: Sequence[SeenDay], read_at: float, epoch: int | None
) -> None:
    if not days:
        return
    rows = [
        {
            "feed_id": feed_id,
            "daystamp": day.daystamp,
            "starts_at": day.starts_at,
            "ends_at": day.ends_at,
            "value": day.value,
            "note": day.note,
            "unit": day.unit,
            "epoch": epoch,
            "pinned": False,
            "seen_at": read_at,
        }
        for day in days
    ]
    _SEEN[session.get_bind().dialect.name].ask(session, rows)


def _take_back(
    rows: Sequence[StoredPoint],
    goal_id: int,
    feed_id: int,
    days: Sequence[SeenDay],
    judged: Sequence[Judged],
) -> dict[int, dict[str, Any]]:
    """What is not wanted any more, by the point's id."""
    stamps = {day.daystamp for day in days}
    kept = {requestid for day in days for requestid in day.keeps}
    left = {(goal_id, one.point.requestid) for one in judged if one.action == Action.LEAVE}
    back = {}
    for row in rows:
        gone = row.feed_id == feed_id and row.daystamp in stamps and row.requestid not in kept
        waits = row.state in (DatapointState.PENDING, DatapointState.HELD)
        leave = row.state == DatapointState.HELD and (row.goal_id, row.requestid) in left
        if (gone and waits) or leave:
            back[row.id] = outbox.taken_back(row)
    return back


def _new(one: Judged, row: StoredPoint | None, feed_id: int, now: float) -> dict[str, Any] | None:
    """What is written of this point, None when it stays as it is."""
    if one.action == Action.LEAVE:
        return None
    point = one.point
    content = point.content_hash
    state = DatapointState.PENDING if one.action == Action.SEND else DatapointState.HELD
    if row is not None:
        if row.content_hash == content and row.state in (state, DatapointState.LANDED):
            return None
        if row.landed_hash == content:
            state = DatapointState.LANDED
    return {
        "feed_id": feed_id,
        "daystamp": point.daystamp,
        "timestamp": point.timestamp,
        "value": point.value,
        "comment": point.comment,
        "content_hash": content,
        "state": state.value,
        "held_at": now if state == DatapointState.HELD else None,
        "frozen": None,
        "due_at": now,
        "attempts": 0,
        "error": one.why,
    }


def _blank(goal_id: int, point: Point, now: float) -> dict[str, Any]:
    return {"goal_id": goal_id, "requestid": point.requestid, "created_at": now}


def _with(row: StoredPoint, to: Mapping[str, Any] | None) -> StoredPoint:
    return row if to is None else row._replace(**to)


def _change(session: Session, how: Once, changes: Mapping[int, Mapping[str, Any]]) -> None:
    if changes:
        params = [
            {"of_point": point_id, **{f"new_{name}": value for name, value in to.items()}}
            for point_id, to in changes.items()
        ]
        how.ask(session, params)


def _order(row: StoredPoint) -> tuple[str, int, int]:
    return row.daystamp or "", row.timestamp or 0, row.id
