"""The inbox: callbacks stored before they are answered, and what became of them.

`store` is one INSERT for a whole group of callbacks. What happens to them then is in `db.opening`
(tying them to the feeds they ask for) and `db.events` (those that no feed answers).
"""

import base64
import itertools
import json
import secrets
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import (
    JSON,
    BindParameter,
    ColumnElement,
    Connection,
    Float,
    ScalarSelect,
    Text,
    bindparam,
    cast,
    column,
    func,
    insert,
    literal,
    select,
    text,
    update,
)
from sqlmodel import Session, col

from db import endings, engine, waits
from db.models import Event
from db.once import Once
from db.one_or_many import OneOrMany, fixed
from db.states import EventKind, EventState
from db.waits import Wait

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford: no i, l, o, u to misread
ID_LENGTH = 26
_OURS = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", ALPHABET.encode())
OPTIONAL = ("user_id", "goal_id", "replay_of", "request_id")
GIVEN = ("id", "kind", "payload", *OPTIONAL)
"""What a callback brings to its row, beside the time."""
ENDED = (EventState.DONE, EventState.FAILED, EventState.DEAD)


def new_id(now: float, *, random_bits: Callable[[int], int] = secrets.randbits) -> str:
    """26 characters that sort by time (48 bits of milliseconds, 80 random bits)."""
    number = (int(now * 1000) << 80) | random_bits(80)
    # 160 bits are 32 characters without padding; those of ours are the last.
    letters = base64.b32encode(number.to_bytes(20, "big"))[-ID_LENGTH:]
    return letters.translate(_OURS).decode()


def earliest_id(at: float) -> str:
    """No event that came in at this time, or later, has a lower id."""
    return new_id(max(0.0, at), random_bits=lambda _bits: 0)


def time_of(event_id: str) -> float:
    """When an id was made, to the millisecond (UTC seconds)."""
    return (number_of(event_id) >> 80) / 1000


def number_of(event_id: str) -> int:
    """The 128 bits of an id. Raises ValueError for what is none."""
    number = 0
    for letter in event_id:
        number = number << 5 | ALPHABET.index(letter)
    if len(event_id) != ID_LENGTH or number >> 128:
        message = "no id of an event"
        raise ValueError(message)
    return number


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEvent:
    """A callback as it came in. `payload` holds what to look up, and no secret.

    `request_id` is that of the request that brought it.
    """

    kind: EventKind
    payload: dict[str, Any]
    received_at: float
    user_id: int | None = None
    goal_id: int | None = None
    replay_of: str | None = None
    request_id: str | None = None
    id: str = field(default_factory=lambda: new_id(time.time()))


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where an event stands: `error` is `{"code", "message"}` of the last failed try.

    `wait`: the limit that it waits for now, which is no failure.
    """

    state: EventState
    datapoints: int
    error: dict[str, Any] | None
    wait: Wait | None = None

    def why(self) -> str | None:
        """What is or was in its way, in words; None when nothing is known."""
        if self.wait is not None:
            return self.wait.told()
        message = (self.error or {}).get("message")
        return None if message is None else str(message)


def _storing(read: Callable[[BindParameter[str]], Sequence[ColumnElement[Any]]]) -> Once:
    at = bindparam("at", type_=Float)
    given = read(bindparam("rows", type_=Text))
    return Once(
        insert(Event).from_select(
            [*GIVEN, "state", "received_at", "due_at"],
            select(*given, literal(EventState.RECEIVED.value), at, at),
        )
    )


def _of_recordset(rows: BindParameter[str]) -> Sequence[ColumnElement[Any]]:
    types = Event.__table__.c  # type: ignore[attr-defined] # set by SQLModel
    columns = (column(name, types[name].type) for name in GIVEN)
    table = func.json_to_recordset(cast(rows, JSON)).table_valued(*columns)
    found = table.render_derived(name="given", with_types=True)
    return [found.c[name] for name in GIVEN]


def _of_each(rows: BindParameter[str]) -> Sequence[ColumnElement[Any]]:
    found = func.json_each(rows).table_valued("value", name="given")
    return [func.json_extract(found.c.value, text(f"'$.{name}'")) for name in GIVEN]


# Named once: to make a statement costs more than to ask with it, and each callback asks these.
_STORING = {
    "postgresql": _storing(_of_recordset),
    "sqlite": _storing(_of_each),
}
_STANDING = OneOrMany(
    lambda among: select(
        col(Event.id), col(Event.state), col(Event.datapoints), col(Event.error)
    ).where(among(col(Event.id)))
)
_ENDED = OneOrMany(
    lambda among: select(
        col(Event.id), col(Event.state), col(Event.datapoints), col(Event.error)
    ).where(among(col(Event.id)), fixed(col(Event.state), ENDED))
)
# A range of an index, which is quicker than to look for each of thousands.
_ENDED_BETWEEN = Once(
    select(col(Event.id)).where(
        fixed(col(Event.state), ENDED), col(Event.id).between(bindparam("first"), bindparam("last"))
    )
)
_LOCKING = OneOrMany(
    lambda among: (
        select(col(Event.id))
        .where(among(col(Event.id)))
        .order_by(col(Event.id))
        .with_for_update(key_share=True)
    )
)
_FINISHING = OneOrMany(
    lambda among: (
        update(Event)
        .where(among(col(Event.id)), ~fixed(col(Event.state), ENDED))
        .values(state=bindparam("ends"), finished_at=bindparam("now"), error=bindparam("told"))
    )
)


def store(session: Session, events: Sequence[NewEvent]) -> None:
    """Insert all that came in at one time in one statement; the caller commits before it answers.

    Their rows go to the database as one text of JSON: it is one message to a server and one to
    answer, and one call of SQLite, where each call lets the threads change. Row by row, a busy
    receiver's commit would wait for its turn at every one of them.
    """
    connection = session.connection()
    storing = _STORING[connection.dialect.name]
    for at, group in itertools.groupby(events, key=lambda new: new.received_at):
        rows = [_row(new) for new in group]
        storing.ask(session, {"rows": json.dumps(rows), "at": at})


def _row(new: NewEvent) -> dict[str, Any]:
    row: dict[str, Any] = {"id": new.id, "kind": new.kind, "payload": new.payload}
    # What is left out is NULL.
    for name in OPTIONAL:
        value = getattr(new, name)
        if value is not None:
            row[name] = value
    return row


def outcomes(session: Session, ids: Collection[str], now: float) -> dict[str, Outcome]:
    """Where these events stand now; unknown ids are left out."""
    found = _read(_STANDING.ask(session, ids))
    going = [one for one, outcome in found.items() if outcome.state == EventState.WORKING]
    for one, wait in waits.of_events(session, now, going).items() if going else ():
        found[one] = replace(found[one], wait=wait)
    return found


def how_ended(connection: Connection, ids: Sequence[str]) -> dict[str, Outcome]:
    """The same of those that have ended; the others are left out."""
    return _read(_ENDED.ask(connection, ids))


def _read(rows: Any) -> dict[str, Outcome]:  # noqa: ANN401 -- rows of the statements above
    return {
        event_id: Outcome(EventState(state), datapoints, error)
        for event_id, state, datapoints, error in rows
    }


def ended(session: Session, ids: Collection[str]) -> set[str]:
    """Those of these events that are done, failed or dead: the cheap question of a hold.

    They should be of about the same time: it costs as much as there were ends between them.
    """
    if not ids:
        return set()
    between = {"first": min(ids), "last": max(ids)}
    return set(_ENDED_BETWEEN.ask(session, between).scalars()) & set(ids)


def lock(session: Session, ids: Collection[str]) -> None:
    """Lock events in the order of their ids; SQLite has one lock for everything."""
    if not engine.has_turns(session):
        _LOCKING.ask(session, ids)


def finish(
    session: Session,
    ids: Collection[str],
    now: float,
    *,
    error: dict[str, Any] | None = None,
    dead: bool = False,
) -> None:
    """End events that hold no lease: done, failed with `error`, or dead with it."""
    state = EventState.DONE if error is None else EventState.FAILED
    if dead:
        state = EventState.DEAD
    lock(session, ids)
    _FINISHING.ask(session, ids, ends=state.value, now=now, told=error)
    endings.tell(session, ids)


def latest(of: Any, owner: Any, *fit: ColumnElement[bool]) -> ScalarSelect[Any]:  # noqa: ANN401 -- columns
    """The id of somebody's last event, as a part of a question about them.

    `of` is the column of events that names them (`Event.user_id`), `owner` what it has to be. It is
    a range and no equality so that the index by both is used: PostgreSQL might else look for one
    who has few among all events that there are, from the newest on.
    """
    return (
        select(col(Event.id))
        .where(of.between(owner, owner), *fit)
        .order_by(of.desc(), col(Event.id).desc())
        .limit(1)
        .scalar_subquery()
    )
