"""Runs as people look at them: lists, what is wrong with their following, and figures. Only reads.

A run is *stale* that has not ended and of which nothing was heard for five minutes: nobody follows
it, or whoever does can't read it.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import RowMapping, Select, case, func, select, true
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import Session, col

from db.models import Source, User
from db.models_runs import Run
from db.names import source_name
from db.states import Stream

STALE_SECONDS = 300.0

_RUNS: Sequence[ColumnElement[Any]] = tuple(Run.__table__.columns)  # type: ignore[attr-defined] # set by SQLModel
_GOES_ON = col(Run.finished_at).is_(None)
# What runs goes first, and of what has ended the last.
_RUNNING_FIRST = (
    case((_GOES_ON, 0), else_=1),
    func.coalesce(col(Run.finished_at), 0.0).desc(),
    func.coalesce(col(Run.started_at), col(Run.found_at)).desc(),
    col(Run.id).desc(),
)
_LATEST_FIRST = (func.coalesce(col(Run.started_at), 0.0).desc(), col(Run.id).desc())


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Runs that go on, in figures.

    `streams`: how many there are by what their sockets do, all states named. `reconnects`: how
    often those were opened again. `stale`: see above. `lag`: seconds since the one of the open
    streams was heard of that was silent longest, 0 without any.
    """

    streams: dict[str, int] = field(default_factory=dict)
    reconnects: int = 0
    stale: int = 0
    lag: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """A run whose following is not what it should be; `why` in the words of whoever followed it.

    `source` is named with its owner. `since`: when it was heard of last (UTC seconds).
    """

    run: str
    source: str
    why: str | None
    since: float


def rows(
    session: Session,
    *,
    limit: int,
    user_id: int | None = None,
    source_id: int | None = None,
    running_first: bool = False,
    ended_after: float | None = None,
    skip: int = 0,
) -> Sequence[RowMapping]:
    """Columns of runs, with `source_name` and `user_id`, the latest start first.

    Of one person or source where they are given. `running_first`: what has ended comes below, the
    last end first; `ended_after` (UTC seconds) leaves out what ended before. `skip`: not
    the first so many.
    """
    asked = (
        _listed()
        .where(
            true() if user_id is None else col(Source.user_id) == user_id,
            true() if source_id is None else col(Source.id) == source_id,
            true() if ended_after is None else _GOES_ON | (col(Run.finished_at) > ended_after),
        )
        .order_by(*(_RUNNING_FIRST if running_first else _LATEST_FIRST))
        .offset(skip)
        .limit(limit)
    )
    return session.connection().execute(asked).mappings().all()


def rows_by_user(
    session: Session, user_ids: Collection[int], *, limit: int
) -> dict[int, list[RowMapping]]:
    """What `rows` with `running_first` gives to each of these people, in one question."""
    place = func.row_number().over(partition_by=col(Source.user_id), order_by=_RUNNING_FIRST)
    ranked = (
        _listed()
        .add_columns(place.label("place"))
        .where(col(Source.user_id).in_(user_ids))
        .subquery()
    )
    asked = select(ranked).where(ranked.c.place <= limit).order_by(ranked.c.place)
    found: dict[int, list[RowMapping]] = {user_id: [] for user_id in user_ids}
    for row in session.connection().execute(asked).mappings():
        found[row["user_id"]].append(row)
    return found


def _listed() -> Select[*tuple[Any, ...]]:
    return (
        select(*_RUNS, col(Source.name).label("source_name"), col(Source.user_id).label("user_id"))
        .select_from(Run)
        .join(Source, col(Run.source_id) == col(Source.id))
    )


def figures(session: Session, now: float) -> Figures:
    """How following goes."""
    asked = select(
        col(Run.stream),
        func.count().label("many"),
        func.sum(col(Run.reconnects)).label("reconnects"),
        func.sum(case((_is_stale(now), 1), else_=0)).label("stale"),
        func.min(_heard_at()).label("heard_at"),
    ).where(_GOES_ON)
    found = session.connection().execute(asked.group_by(col(Run.stream))).all()
    open_since = [row.heard_at for row in found if row.stream == Stream.OPEN]
    return Figures(
        streams={state.value: 0 for state in Stream} | {row.stream: row.many for row in found},
        reconnects=sum(row.reconnects for row in found),
        stale=sum(row.stale for row in found),
        lag=max(0.0, now - open_since[0]) if open_since else 0.0,
    )


def troubles(session: Session, now: float) -> tuple[list[Trouble], list[Trouble]]:
    """Runs that are stale, and those that go on whose streams were given up; the oldest first."""
    asked = (
        select(
            col(Run.run_id),
            col(Run.stream),
            col(Run.stream_error),
            col(Run.error),
            _heard_at().label("heard_at"),
            case((_is_stale(now), 1), else_=0).label("stale"),
            col(Source.name),
            col(User.username),
        )
        .select_from(Run)
        .join(Source, col(Run.source_id) == col(Source.id))
        .join(User, col(Source.user_id) == col(User.id))
        .where(_GOES_ON, _is_stale(now) | (col(Run.stream) == Stream.GIVEN_UP))
        .order_by(_heard_at(), col(Run.id))
    )
    stale: list[Trouble] = []
    given_up: list[Trouble] = []
    for row in session.connection().execute(asked):
        source = source_name(row.username, row.name)
        for wrong, why, kept in (
            (row.stale, row.error, stale),
            (row.stream == Stream.GIVEN_UP, row.stream_error, given_up),
        ):
            if wrong:
                kept.append(Trouble(run=row.run_id, source=source, why=why, since=row.heard_at))
    return stale, given_up


def _heard_at() -> ColumnElement[float]:
    return func.coalesce(col(Run.seen_at), col(Run.found_at))


def _is_stale(now: float) -> ColumnElement[bool]:
    return _heard_at() <= now - STALE_SECONDS
