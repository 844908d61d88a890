"""The inbox as people look at it: filtered, searched, and paged by id. Only reads.

Ids sort by time, so a page begins after the last id of the one before it: whatever comes in or
ends meanwhile, no event is left out and none stands on two pages.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, and_, func, or_, select, true
from sqlalchemy.sql.elements import ColumnElement
from sqlmodel import Session, col

from db import goals_found, inbox, replaying, waits
from db.models import Event, Goal, User
from db.states import EventKind, EventState

ENDED_BADLY = (EventState.FAILED, EventState.DEAD)
AN_HOUR = 3600.0  # two clocks of one installation are never that far apart
# The beginning of an id, of which the first letters are the year.
BEGINNING = re.compile(r"[0-9a-hjkmnp-tv-z]{8,26}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which events: those of one person, in one of some states, of one kind, of some age.

    `to_replay`: only what is worth it (`db.replaying`). `since` and `until` are UTC seconds. `text`
    is a goal (`alice/energy`, or a part of a slug), an id or its beginning, or a request's id.
    """

    user_id: int | None = None
    states: tuple[EventState, ...] = ()
    kind: EventKind | None = None
    to_replay: bool = False
    since: float | None = None
    until: float | None = None
    text: str | None = None


EVERYTHING = Asked()


def rows(
    session: Session,
    now: float,
    asked: Asked = EVERYTHING,
    *,
    before: str | None = None,
    after: str | None = None,
    limit: int,
) -> list[dict[str, Any]]:
    """The events, newest first: those next `before` an id, or next `after` one.

    Each has `wait`, the limit that it waits for now, or None.
    """
    query = _events().where(which(session, asked))
    if after is None:
        query = query.where(true() if before is None else col(Event.id) < before)
        query = query.order_by(col(Event.id).desc())
    else:
        query = query.where(col(Event.id) > after).order_by(col(Event.id))
    found = [dict(row) for row in session.connection().execute(query.limit(limit)).mappings()]
    found.sort(key=lambda row: row["id"], reverse=True)
    limited = waits.of_events(session, now, [row["id"] for row in found])
    return [row | {"wait": limited.get(row["id"])} for row in found]


def ids(session: Session, asked: Asked, *, limit: int) -> list[str]:
    """The oldest of these events, at most `limit`."""
    found = session.connection().execute(
        select(col(Event.id)).where(which(session, asked)).order_by(col(Event.id)).limit(limit)
    )
    return list(found.scalars())


def chosen(session: Session, event_ids: Collection[str]) -> list[dict[str, Any]]:
    """Those of these events that are worth a replay, oldest first."""
    query = _events().where(col(Event.id).in_(event_ids), replaying.worth_it())
    return [
        dict(row) for row in session.connection().execute(query.order_by(col(Event.id))).mappings()
    ]


def _events() -> Select[*tuple[Any, ...]]:
    said = col(Event.payload)
    return (
        select(
            col(Event.id),
            col(Event.kind),
            col(Event.user_id),
            func.coalesce(col(User.username), said["username"].as_string()).label("username"),
            func.coalesce(col(Goal.slug), said["slug"].as_string()).label("slug"),
            col(Event.state),
            col(Event.attempts),
            col(Event.deferrals),
            col(Event.datapoints),
            col(Event.error),
            col(Event.replay_of),
            col(Event.received_at),
            col(Event.finished_at),
        )
        .select_from(Event)
        .join(User, col(User.id) == col(Event.user_id), isouter=True)
        .join(Goal, col(Goal.id) == col(Event.goal_id), isouter=True)
    )


def which(session: Session, asked: Asked) -> ColumnElement[bool]:
    """What these events have in common, as a condition."""
    said: list[ColumnElement[bool]] = []
    if asked.user_id is not None:
        said.append(col(Event.user_id) == asked.user_id)
    if asked.states:
        said.append(col(Event.state).in_([state.value for state in asked.states]))
    if asked.kind is not None:
        said.append(col(Event.kind) == asked.kind.value)
    if asked.to_replay:
        said.append(replaying.worth_it())
    # The id is a bound that every index knows, the instant is exact.
    if asked.since is not None:
        said.append(col(Event.id) >= inbox.earliest_id(asked.since - AN_HOUR))
        said.append(col(Event.received_at) >= asked.since)
    if asked.until is not None:
        said.append(col(Event.id) < inbox.earliest_id(asked.until + AN_HOUR))
        said.append(col(Event.received_at) < asked.until)
    if asked.text:
        said.append(_about(session, asked.text, asked.user_id))
    return and_(true(), *said)


def _about(session: Session, text: str, user_id: int | None) -> ColumnElement[bool]:
    """Each of these ways has an index; a goal that nobody linked is compared as it was written."""
    low = text.lower()
    if len(low) == inbox.ID_LENGTH and BEGINNING.fullmatch(low):
        return or_(col(Event.id) == low, col(Event.request_id) == text)
    goals = goals_found.ids(session, low, user_id=user_id)
    ways = [col(Event.request_id) == text, col(Event.goal_id).in_(goals)]
    slug = low.rpartition("/")[2]
    ways.append(and_(col(Event.goal_id).is_(None), col(Event.payload)["slug"].as_string() == slug))
    if BEGINNING.fullmatch(low):
        ways.append(col(Event.id).between(low, low.ljust(inbox.ID_LENGTH, "z")))
    return or_(*ways)
