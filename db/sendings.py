"""Sendings: each try to write a datapoint, and what Beeminder said of it.

They are the receipt of a day. Between a push and its answer nothing is known to be there: a row's
`landed_hash` is None, and `sent_value` tells what may be.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import String, bindparam, case, exists, func, insert, or_, select, update
from sqlmodel import Session, col

from db.models_points import Datapoint, Sending
from db.once import Once
from db.states import DatapointState
from db.stored import AnyPoint

UNDER_WAY_SECONDS = 60.0  # longer than any push may take
UNKNOWN = "unknown"
IS_THERE = ("created", "updated", "duplicate")  # what Beeminder says of one that has landed


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What Beeminder said of a datapoint that was sent; `status` as in `Sending`."""

    sent_hash: str
    status: str
    beeminder_id: str | None = None
    request_id: str | None = None


# Named once: to make a statement costs more than to send it, and each point needs it.
_BEGUN = Once(
    update(Datapoint)
    .where(col(Datapoint.id) == bindparam("of_point"))
    .values(
        attempts=col(Datapoint.attempts) + 1,
        sent_at=bindparam("at"),
        sent_value=col(Datapoint.value),
        landed_hash=None,
    )
)
_TRY = Once(insert(Sending))
_LANDED = Once(
    update(Datapoint)
    .where(col(Datapoint.id) == bindparam("of_point"))
    .values(
        landed_hash=bindparam("sent_hash"),
        landed_value=col(Datapoint.sent_value),
        beeminder_id=func.coalesce(
            bindparam("known_id", type_=String()), col(Datapoint.beeminder_id)
        ),
        landed_at=bindparam("at"),
        error=None,
        state=case(
            (col(Datapoint.content_hash) == bindparam("sent_hash"), DatapointState.LANDED.value),
            else_=col(Datapoint.state),
        ),
    )
)
_THIS_TRY = col(Sending.epoch) == bindparam("of_epoch")
_ANSWERED = Once(
    update(Sending)
    .where(
        col(Sending.datapoint_id) == bindparam("of_point"),
        col(Sending.answered_at).is_(None),
        # What was sent before and never answered is overwritten by this, unless it is still under
        # way.
        or_(_THIS_TRY, col(Sending.sent_at) < bindparam("before")),
    )
    .values(
        answered_at=bindparam("at"),
        status=case((_THIS_TRY, bindparam("said", type_=String())), else_=UNKNOWN),
        request_id=case(
            (_THIS_TRY, bindparam("named", type_=String())), else_=col(Sending.request_id)
        ),
    )
)


def begin(session: Session, points: Sequence[AnyPoint], *, epoch: int, now: float) -> None:
    """Write the try down before it is made, so that one that kills its worker is counted as well.

    Its answer may be lost: until it is marked, no earlier value is believed to be there.
    """
    _BEGUN.ask(session, [{"of_point": point.id, "at": now} for point in points])
    tries = [
        {
            "datapoint_id": point.id,
            "epoch": epoch,
            "value": point.value,
            "comment": point.comment,
            "sent_at": now,
        }
        for point in points
    ]
    _TRY.ask(session, tries)


def mark_landed(
    session: Session, landed: Mapping[int, Answered], *, epoch: int, now: float
) -> None:
    """Beeminder holds what was sent, by point; a row stays pending if it has changed since."""
    if not landed:
        return
    rows = [
        {
            "of_point": point_id,
            "known_id": answered.beeminder_id,
            "sent_hash": answered.sent_hash,
            "at": now,
        }
        for point_id, answered in landed.items()
    ]
    said = [
        {
            "of_point": point_id,
            "of_epoch": epoch,
            "said": answered.status,
            "named": answered.request_id,
            "before": now - UNDER_WAY_SECONDS,
            "at": now,
        }
        for point_id, answered in landed.items()
    ]
    _LANDED.ask(session, rows)
    _ANSWERED.ask(session, said)


def mark_rejected(
    session: Session,
    *,
    point_id: int,
    error: str,
    epoch: int,
    now: float,
    request_id: str | None = None,
    garbled: bool = False,
) -> None:
    """Beeminder refuses this point for good; it is shown, and a changed value is tried again.

    What was refused is not there, so a later value is not judged as a correction of it; unless an
    earlier try has no answer, or the refusal itself was `garbled`: then it may be.
    """
    _answer(session, point_id, epoch, now, status="refused", request_id=request_id, error=error)
    lost = exists().where(col(Sending.datapoint_id) == point_id, col(Sending.answered_at).is_(None))
    there = case((lost, col(Datapoint.sent_value)), else_=col(Datapoint.landed_value))
    session.connection().execute(
        update(Datapoint)
        .where(col(Datapoint.id) == point_id)
        .values(
            state=DatapointState.REJECTED.value,
            error=error,
            sent_value=col(Datapoint.sent_value) if garbled else there,
        )
    )


def _answer(session: Session, point_id: int, epoch: int, now: float, **said: str | None) -> None:
    session.connection().execute(
        update(Sending)
        .where(
            col(Sending.datapoint_id) == point_id,
            col(Sending.epoch) == epoch,
            col(Sending.answered_at).is_(None),
        )
        .values(answered_at=now, **said)
    )


def freeze(session: Session, *, point_id: int, how: str, there: float | None, why: str) -> None:
    """A person edited or deleted this point of a finished day (`how`): from now on it is theirs.

    `there`: the value that Beeminder holds now.
    """
    session.connection().execute(
        update(Datapoint)
        .where(col(Datapoint.id) == point_id)
        .values(
            state=DatapointState.WITHDRAWN.value,
            frozen=how,
            landed_value=there,
            landed_hash=None,
            held_at=None,
            error=why,
        )
    )


def unanswered(session: Session, ids: Collection[int]) -> dict[int, set[float]]:
    """Values that were sent for these points and may have landed: nobody heard the answer."""
    rows = session.connection().execute(
        select(col(Sending.datapoint_id), col(Sending.value)).where(
            col(Sending.datapoint_id).in_(ids), col(Sending.answered_at).is_(None)
        )
    )
    found: dict[int, set[float]] = {}
    for row in rows:
        found.setdefault(row.datapoint_id, set()).add(row.value)
    return found
