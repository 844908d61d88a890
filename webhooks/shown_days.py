"""What a feed's page shows of its days: what was said, is there, waits, and was asked."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import or_, select
from sqlmodel import Session, col
from sqlmodel import select as select_rows

from db import waits
from db.models import Backfill, Event
from db.models_points import Datapoint, Day
from db.states import DIFFERENCE, RUNNING_TOTAL, DatapointState

BUILDING = (RUNNING_TOTAL, DIFFERENCE)


@dataclass(slots=True, kw_only=True)
class ShownDay:
    """One day of a feed; `said` and `there` are None where nothing was said or nothing is there.

    `comes_to`: what is made of it for the goal. On a goal that is sent running totals or
    differences that is another number than what was said.
    """

    daystamp: str
    said: float | None = None
    unit: str | None = None
    note: str | None = None
    pinned: bool = False
    points: list[Datapoint] = field(default_factory=list)

    @property
    def there(self) -> float | None:
        """What is at Beeminder of ours, as far as it is known."""
        return _sum(there(point) for point in self.points)

    @property
    def comes_to(self) -> float | None:
        """What should be there."""
        wanted = (p.value for p in self.points if p.state != DatapointState.WITHDRAWN)
        return _sum(wanted)

    @property
    def landed_at(self) -> float | None:
        """When the last of it landed."""
        return max((p.landed_at for p in self.points if p.landed_at is not None), default=None)

    @property
    def states(self) -> list[str]:
        """The states of its datapoints, each once."""
        return list(dict.fromkeys(p.state for p in self.points))

    @property
    def why(self) -> list[str]:
        """Everything that is to be said of it."""
        told = [told for point in self.points for told in (why(point),) if told]
        pinned = ["pinned: left as it is at Beeminder"] if self.pinned else []
        return list(dict.fromkeys([*([self.note] if self.note else []), *pinned, *told]))


def there(point: Datapoint) -> float | None:
    """What is at Beeminder of this datapoint, as far as it is known."""
    return None if point.frozen == "deleted" else point.landed_value


def why(point: Datapoint) -> str | None:
    """Why it is not there as it should be, or whose it is now."""
    return point.error or (f"{point.frozen} by a person" if point.frozen else None)


def _sum(values: Any) -> float | None:  # noqa: ANN401 -- any iterable of numbers and None
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def stamps(last: str, count: int) -> list[str]:
    """So many daystamps up to this one, the oldest first."""
    end = datetime.strptime(last, "%Y%m%d")  # noqa: DTZ007 -- a day, no instant
    return [f"{end - timedelta(days=ago):%Y%m%d}" for ago in reversed(range(count))]


def between(session: Session, feed_id: int, wanted: Sequence[str]) -> list[ShownDay]:
    """These days (ascending daystamps without a gap), each, whether anything is known of it."""
    found = {stamp: ShownDay(daystamp=stamp) for stamp in wanted}
    if not found:
        return []
    for day in session.exec(
        select_rows(Day).where(
            col(Day.feed_id) == feed_id, col(Day.daystamp).between(wanted[0], wanted[-1])
        )
    ):
        shown = found[day.daystamp]
        shown.said, shown.unit = day.value, day.unit
        shown.note, shown.pinned = day.note, day.pinned
    for point in session.exec(
        select_rows(Datapoint)
        .where(
            col(Datapoint.feed_id) == feed_id,
            col(Datapoint.daystamp).between(wanted[0], wanted[-1]),
        )
        .order_by(col(Datapoint.daystamp), col(Datapoint.id))
    ):
        found[point.daystamp or ""].points.append(point)
    return list(found.values())


def points(
    session: Session, feed_id: int, *, before: tuple[str, int] | None, limit: int
) -> Sequence[Datapoint]:
    """What was sent or is to be sent, the newest day first; `before` (daystamp, id) of the last."""
    asked = select_rows(Datapoint).where(col(Datapoint.feed_id) == feed_id)
    if before is not None:
        asked = asked.where(
            col(Datapoint.daystamp) <= before[0],
            or_(col(Datapoint.daystamp) < before[0], col(Datapoint.id) < before[1]),
        )
    return session.exec(
        asked.order_by(col(Datapoint.daystamp).desc(), col(Datapoint.id).desc()).limit(limit)
    ).all()


def held(session: Session, feed_id: int, *, limit: int) -> Sequence[Datapoint]:
    """Corrections that wait for a decision, the oldest day first."""
    return session.exec(
        select_rows(Datapoint)
        .where(col(Datapoint.feed_id) == feed_id, col(Datapoint.state) == DatapointState.HELD)
        .order_by(col(Datapoint.daystamp), col(Datapoint.id))
        .limit(limit)
    ).all()


@dataclass(frozen=True, slots=True)
class LeftAlone:
    """A day that Waggle leaves as it is: `how` is pinned, edited or deleted."""

    daystamp: str
    how: str
    there: float | None


def left_alone(session: Session, feed_id: int, *, limit: int) -> list[LeftAlone]:
    """Days that are a person's, the newest first: those that are pinned, and those they changed."""
    connection = session.connection()
    pinned = (
        select(col(Day.daystamp))
        .where(col(Day.feed_id) == feed_id, col(Day.pinned))
        .order_by(col(Day.daystamp).desc())
        .limit(limit)
    )
    frozen = (
        select(col(Datapoint.daystamp), col(Datapoint.frozen), col(Datapoint.landed_value))
        .where(col(Datapoint.feed_id) == feed_id, col(Datapoint.frozen).is_not(None))
        .order_by(col(Datapoint.daystamp).desc())
        .limit(limit)
    )
    found = [LeftAlone(stamp, "pinned", None) for stamp in connection.execute(pinned).scalars()] + [
        LeftAlone(stamp or "", how or "", None if how == "deleted" else value)
        for stamp, how, value in connection.execute(frozen)
    ]
    return sorted(found, key=lambda each: (each.daystamp, each.how), reverse=True)[:limit]


def calls(
    session: Session, now: float, goal_id: int, *, before: str | None, limit: int
) -> list[dict[str, Any]]:
    """What asked for data of the goal, the newest first; `before`: the id of the last one shown."""
    asked = (
        select(
            col(Event.id),
            col(Event.kind),
            col(Event.state),
            col(Event.attempts),
            col(Event.deferrals),
            col(Event.datapoints),
            col(Event.error),
            col(Event.received_at),
            col(Event.finished_at),
        )
        .where(col(Event.goal_id) == goal_id)
        .order_by(col(Event.id).desc())
        .limit(limit)
    )
    if before is not None:
        asked = asked.where(col(Event.id) < before)
    rows = session.connection().execute(asked).mappings().all()
    limited = waits.of_events(session, now, [row["id"] for row in rows])
    return [{**row, "wait": limited.get(row["id"])} for row in rows]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far reading past days again has come."""

    row: Backfill
    done: int
    total: int


def progress(session: Session, feed_ids: Collection[int], *, since: float) -> list[Progress]:
    """What goes on of these feeds, and what has ended `since` then (UTC seconds), newest first."""
    rows = session.exec(
        select_rows(Backfill)
        .where(
            col(Backfill.feed_id).in_(feed_ids),
            or_(col(Backfill.finished_at).is_(None), col(Backfill.finished_at) > since),
        )
        .order_by(col(Backfill.id).desc())
        .limit(3)
    ).all()
    return [
        Progress(row, _count(row.first_day, row.next_day), _count(row.first_day, row.last_day) + 1)
        for row in rows
    ]


def _count(first: str, last: str) -> int:
    begin, end = (datetime.strptime(each, "%Y%m%d") for each in (first, last))  # noqa: DTZ007 -- days
    return (end - begin).days
