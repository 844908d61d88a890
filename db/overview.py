"""What people ask about the ledger: how everything stands, what came in, what was sent.

The shapes are a public interface: the command line prints them as JSON. Times are ISO 8601 in UTC.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Executable, RowMapping, Select, exists, func, select
from sqlmodel import Session, col

from db import overdue, resting, runs_listed, sendings, waits
from db.inbox import earliest_id
from db.models import Event, Feed, Goal, Source, User
from db.models_points import Datapoint, Sending
from db.names import feed_name
from db.states import DatapointState, EventState
from db.waits import Wait

DAY = 86400.0
MOST_COUNTED = 20_000  # of a day: to count on would take longer than anybody waits
WAITING = (DatapointState.PENDING, DatapointState.HELD)


def iso(at: float | None) -> str | None:
    """UTC seconds as ISO 8601 with a Z; None stays None."""
    if at is None:
        return None
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def status(session: Session, now: float, *, limit: int | None = None) -> dict[str, Any]:
    """Everything at a glance; `limit` bounds each of the three lists."""
    users = select(col(User.username), col(User.state)).order_by(col(User.username))
    sources = select(col(Source.name), col(Source.provider), col(Source.state)).order_by(
        col(Source.name), col(Source.id)
    )
    return {
        "users": [dict(row) for row in _rows(session, users.limit(limit))],
        "sources": [dict(row) for row in _rows(session, sources.limit(limit))],
        "feeds": _feeds(session, now, limit),
        "inbox": inbox(session, now),
        "outbox": outbox(session, now),
    }


def _feeds(session: Session, now: float, limit: int | None) -> list[dict[str, Any]]:
    pending = (
        select(func.count())
        .where(col(Datapoint.feed_id) == col(Feed.id), col(Datapoint.state).in_(WAITING))
        .scalar_subquery()
    )
    asked = (
        select(
            col(Feed.id),
            col(User.username),
            col(Goal.slug),
            col(Feed.label),
            col(Feed.state),
            col(Feed.reason),
            col(Feed.last_synced_at),
            col(Feed.due_at),
            col(Feed.last_error),
            pending.label("pending"),
        )
        .join(Goal, col(Feed.goal_id) == col(Goal.id))
        .join(User, col(Goal.user_id) == col(User.id))
        .order_by(col(User.username), col(Goal.slug), col(Feed.label))
        .limit(limit)
    )
    if limit is not None:  # they are of so many people at most, who are found first
        has_any = exists().where(
            col(Goal.user_id) == col(User.id), col(Feed.goal_id) == col(Goal.id)
        )
        first = select(col(User.id)).where(has_any).order_by(col(User.username)).limit(limit)
        asked = asked.where(col(User.id).in_(first))
    rows = _rows(session, asked)
    waiting = waits.of_feeds(session, now)
    return [
        {
            "feed": feed_name(row["username"], row["slug"], row["label"]),
            "state": row["state"],
            "last_synced_at": iso(row["last_synced_at"]),
            "next_sync_at": _next_sync(row, waiting.get(row["id"])),
            "pending": row["pending"],
            "last_error": row["last_error"],
            "waits_for": _wait(waiting.get(row["id"])),
        }
        for row in rows
    ]


def _next_sync(row: RowMapping, wait: Wait | None) -> str | None:
    """Not before a limit lets it: the time at which it was due is over then."""
    if not resting.is_claimable(row["state"], row["reason"]):
        return None
    return iso(row["due_at"] if wait is None else max(row["due_at"], math.ceil(wait.until)))


def inbox(session: Session, now: float) -> dict[str, Any]:
    """Events by state, and the age of the oldest due work in seconds.

    Of those that are done the ones that came in the last 24 hours, at most `MOST_COUNTED`.
    """
    others = [state.value for state in EventState if state != EventState.DONE]
    rows = _rows(
        session,
        select(col(Event.state), func.count().label("count"))
        .where(col(Event.state).in_(others))
        .group_by(col(Event.state)),
    )
    done = (
        select(col(Event.id))
        .where(col(Event.state) == EventState.DONE, col(Event.id) >= earliest_id(now - DAY))
        .limit(MOST_COUNTED)
        .subquery()
    )
    found: dict[str, Any] = {state.value: 0 for state in EventState}
    found |= {row["state"]: row["count"] for row in rows}
    return found | {
        EventState.DONE.value: _number(session, select(func.count()).select_from(done)),
        "oldest_due_seconds": round(overdue.oldest(session, now), 3),
    }


def outbox(session: Session, now: float) -> dict[str, int]:
    """Datapoints by state.

    Landed are those of which a try of the last 24 hours did, of at most `MOST_COUNTED` such tries.
    """
    rows = _rows(
        session,
        select(col(Datapoint.state), func.count().label("count"))
        .where(col(Datapoint.state).in_((*WAITING, DatapointState.REJECTED)))
        .group_by(col(Datapoint.state)),
    )
    tries = (
        select(col(Sending.datapoint_id))
        .where(col(Sending.sent_at) > now - DAY, col(Sending.status).in_(sendings.IS_THERE))
        .order_by(col(Sending.sent_at))
        .limit(MOST_COUNTED)
        .subquery()
    )
    landed = select(func.count(tries.c.datapoint_id.distinct()))
    shown = (
        DatapointState.PENDING,
        DatapointState.HELD,
        DatapointState.LANDED,
        DatapointState.REJECTED,
    )
    found = {state.value: 0 for state in shown}
    found |= {row["state"]: row["count"] for row in rows}
    return found | {DatapointState.LANDED.value: _number(session, landed)}


def events(
    session: Session, now: float, *, state: str | None = None, limit: int = 50, offset: int = 0
) -> list[dict[str, Any]]:
    """What came in, newest first, and which limits it waits for now."""
    asked = _events().order_by(col(Event.received_at).desc(), col(Event.id).desc())
    if state is not None:
        asked = asked.where(col(Event.state) == state)
    rows = _rows(session, asked.limit(limit).offset(offset))
    waiting = waits.of_events(session, now, [row["id"] for row in rows])
    return [_event(row, waiting.get(row["id"])) for row in rows]


def event(session: Session, now: float, event_id: str) -> dict[str, Any] | None:
    """One event with its payload (which holds no secret), or None."""
    row = next(iter(_rows(session, _events().where(col(Event.id) == event_id))), None)
    if row is None:
        return None
    wait = waits.of_events(session, now, [event_id]).get(event_id)
    return _event(row, wait) | {
        "payload": row["payload"],
        "datapoints": row["datapoints"],
        "due_at": iso(row["due_at"]),
        "replay_of": row["replay_of"],
    }


def _events() -> Select[*tuple[Any, ...]]:
    return (
        select(
            *Event.__table__.columns,  # type: ignore[attr-defined] # set by SQLModel
            col(Goal.slug).label("goal_slug"),
            col(User.username).label("user_name"),
        )
        .select_from(Event)
        .outerjoin(Goal, col(Event.goal_id) == col(Goal.id))
        .outerjoin(User, col(Event.user_id) == col(User.id))
    )


def _event(row: RowMapping, wait: Wait | None) -> dict[str, Any]:
    username = row["user_name"] or row["payload"].get("username")
    slug = row["goal_slug"] or row["payload"].get("slug")
    return {
        "id": row["id"],
        "kind": row["kind"],
        "feed": f"{username}/{slug}" if username and slug else None,
        "state": row["state"],
        "attempts": row["attempts"],
        "deferrals": row["deferrals"],
        "received_at": iso(row["received_at"]),
        "finished_at": iso(row["finished_at"]),
        "error": row["error"],
        "waits_for": _wait(wait),
    }


def _wait(wait: Wait | None) -> dict[str, Any] | None:
    return None if wait is None else {"gate": wait.gate, "until": iso(math.ceil(wait.until))}


def datapoints(
    session: Session, feeds: Mapping[int, str], *, limit: int | None = None
) -> list[dict[str, Any]]:
    """What was sent, or is to be, for these feeds (names by id); the newest day first."""
    rows = _rows(
        session,
        select(Datapoint.__table__)  # type: ignore[attr-defined] # set by SQLModel
        .where(col(Datapoint.feed_id).in_(feeds))
        .order_by(
            # Where nothing stands the two databases sort differently.
            func.coalesce(col(Datapoint.daystamp), "").desc(),
            func.coalesce(col(Datapoint.timestamp), 0).desc(),
            col(Datapoint.id).desc(),
        )
        .limit(limit),
    )
    return [
        {
            "feed": feeds[row["feed_id"]],
            "requestid": row["requestid"],
            "daystamp": row["daystamp"],
            "value": row["value"],
            "comment": row["comment"],
            "state": row["state"],
            "beeminder_id": row["beeminder_id"],
            "sent_at": iso(row["sent_at"]),
            "landed_value": row["landed_value"],
            "why": row["error"] or (row["frozen"] and f"{row['frozen']} by a person"),
        }
        for row in rows
    ]


def runs(
    session: Session, *, limit: int = 50, source_id: int | None = None
) -> list[dict[str, Any]]:
    """Runs that are or were followed, the latest first; see `run`."""
    return [run(row) for row in runs_listed.rows(session, limit=limit, source_id=source_id)]


def run(row: RowMapping) -> dict[str, Any]:
    """One of `runs_listed.rows`; `progress` is 0 to 1, or None."""
    return {
        "run": row["run_id"],
        "source": row["source_name"],
        "project": row["project"],
        "connector": row["connector"],
        "pipeline": row["pipeline"],
        "state": row["state"],
        "progress": row["progress"],
        "attempt": row["attempt"],
        "rows": row["rows"],
        "steps_done": row["counters"].get("steps_done"),
        "steps_total": row["counters"].get("steps_total"),
        "step": row["counters"].get("step"),
        "stream": row["stream"],
        "stream_error": row["stream_error"],
        "reconnects": row["reconnects"],
        "error": row["error"],
        "seen_at": iso(row["seen_at"]),
        "started_at": iso(row["started_at"]),
        "finished_at": iso(row["finished_at"]),
    }


def _rows(session: Session, asked: Executable) -> Sequence[RowMapping]:
    return session.connection().execute(asked).mappings().all()


def _number(session: Session, asked: Select[int]) -> int:
    return session.connection().execute(asked).scalar_one()
