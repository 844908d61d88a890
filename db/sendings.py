"""Sendings: each try to write a datapoint, and what Beeminder said of it.

They are the receipt of a day. Between a push and its answer nothing is known to be there: a row's
`landed_hash` is None, and `sent_value` tells what may be.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import String, bindparam, case, exists, func, insert, select, update
from sqlmodel import Session, col

from db.models_points import Datapoint, Sending
from db.states import DatapointState

UNDER_WAY_SECONDS = 60.0  # longer than any push may take
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What Beeminder said of a datapoint that was sent; `status` as in `Sending`."""

    sent_hash: str
    status: str
    beeminder_id: str | None = None
    request_id: str | None = None


def begin(session: Session, points: Sequence[Datapoint], *, epoch: int, now: float) -> None:
    """Write the try down before it is made, so that one that kills its worker is counted as well.

    Its answer may be lost: until it is marked, no earlier value is believed to be there.
    """
    session.connection().execute(
        update(Datapoint)
        .where(col(Datapoint.id).in_([point.id for point in points]))
        .values(
            attempts=col(Datapoint.attempts) + 1,
            sent_at=now,
            sent_value=col(Datapoint.value),
            landed_hash=None,
        )
    )
    session.connection().execute(
        insert(Sending),
        [
            {
                "datapoint_id": point.id,
                "epoch": epoch,
                "value": point.value,
                "comment": point.comment,
                "sent_at": now,
            }
            for point in points
        ],
    )


# Named once: to make a statement costs more than to send it, and each point needs it.
_LANDED = (
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
_ANSWERED = (
    update(Sending)
    .where(
        col(Sending.datapoint_id) == bindparam("of_point"),
        col(Sending.epoch) == bindparam("of_epoch"),
        col(Sending.answered_at).is_(None),
    )
    .values(answered_at=bindparam("at"), status=bindparam("said"), request_id=bindparam("named"))
)
_OVERWRITTEN = (
    update(Sending)
    .where(
        col(Sending.datapoint_id) == bindparam("of_point"),
        col(Sending.answered_at).is_(None),
        col(Sending.sent_at) < bindparam("before"),
    )
    .values(answered_at=bindparam("at"), status=UNKNOWN)
)


def mark_landed(
    session: Session, *, point_id: int, answered: Answered, epoch: int, now: float
) -> None:
    """Beeminder holds what was sent; the row stays pending if it has changed since."""
    landed = {"known_id": answered.beeminder_id, "sent_hash": answered.sent_hash}
    session.connection().execute(_LANDED, landed | {"of_point": point_id, "at": now})
    said = {"said": answered.status, "named": answered.request_id}
    session.connection().execute(
        _ANSWERED, said | {"of_point": point_id, "of_epoch": epoch, "at": now}
    )
    # What was sent before and never answered is overwritten by this, unless it is still under way.
    overwritten = {"of_point": point_id, "before": now - UNDER_WAY_SECONDS, "at": now}
    session.connection().execute(_OVERWRITTEN, overwritten)


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
