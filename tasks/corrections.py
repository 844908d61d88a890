"""What a write may do to a day that is over. Pure.

Beeminder derails a goal the moment that yesterday turns red, whoever wrote the point. So a write
that makes the value of a finished day worse, empties it, or is one of many is held until a person
lets it pass. What is better is sent; a day without a value gets one; today is open, and goes on.

What a total has grown by, or where a level ended, when it is read just after its day ended is not a
correction: the day is being completed. Without that most days would end with a question.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from db.outbox import Action, Judged, Point
from db.states import DatapointState
from db.stored import AnyPoint

MANY = 3  # finished days that may change in one go
COMPLETED_SECONDS = 900.0  # after its end, a day is being completed for so long
ADOPTED = (
    "it differs from what was found at Beeminder, which a person may have changed while the "
    "ledger was lost"
)


class Corrections(StrEnum):
    """How much a person lets us change of days that are over."""

    CAREFUL = "careful"
    ALWAYS = "always"
    NEVER = "never"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stance:
    """How a goal counts, and what its owner chose. `yaw`: 1 when more is better, -1 when less is.

    `grows`: a day's value adds up while the day runs. `on_edit_source`: what a person edited is
    written over. `many`: so many finished days may change in one go.
    """

    corrections: Corrections
    yaw: int | None
    grows: bool = False
    on_edit_source: bool = False
    many: int = MANY


@dataclass(frozen=True, slots=True)
class Wanted:
    """A point that should be at Beeminder, and for how long its day is over (seconds; None: it is
    not).
    """

    point: Point
    over: float | None

    @property
    def finished(self) -> bool:
        """Is the day over?"""
        return self.over is not None


def judge(stance: Stance, wanted: Sequence[Wanted], known: Mapping[str, AnyPoint]) -> list[Judged]:
    """Send, hold or leave each point; `known` are the rows of the outbox by requestid."""
    judged = [_one(stance, want, known.get(want.point.requestid)) for want in wanted]
    changed = [
        index
        for index, (want, judgement) in enumerate(zip(wanted, judged, strict=True))
        if want.finished
        and judgement.action == Action.SEND
        and _changes(want.point, known.get(want.point.requestid))
    ]
    if stance.corrections == Corrections.CAREFUL and len(changed) > stance.many:
        why = f"{len(changed)} finished days would change at once"
        for index in changed:
            judged[index] = Judged(wanted[index].point, Action.HOLD, why)
    return judged


def _changes(point: Point, row: AnyPoint | None) -> bool:
    """Is this a new value for a day that has one, which nobody has let pass yet?"""
    return (
        row is not None
        and row.landed_value is not None
        and row.landed_value != point.value
        and not _settled(point, row)
    )


def _settled(point: Point, row: AnyPoint) -> bool:
    """Has this very content been judged, and let pass, before?"""
    if row.approved_hash == point.content_hash:
        return True
    judged = row.state in (DatapointState.PENDING, DatapointState.LANDED)
    return judged and row.content_hash == point.content_hash


def _one(stance: Stance, want: Wanted, row: AnyPoint | None) -> Judged:
    point = want.point
    if row is None:
        return Judged(point, Action.SEND)
    theirs = _theirs(stance, point, row)
    if theirs is not None:
        return theirs
    there = _there(stance, row)
    if not want.finished or _settled(point, row) or there in (None, point.value):
        return Judged(point, Action.SEND)  # at most the comment differs
    completes = _completes(stance, want, there or 0.0)
    why = None if completes else _harm(stance, want, row, there or 0.0)
    if why is None and row.state == DatapointState.HELD and row.content_hash == point.content_hash:
        # One of many was dropped, or is not looked at any more: that lets none of the others pass.
        why = row.error or "it was kept back before"
    if stance.corrections == Corrections.NEVER and not completes:
        return Judged(point, Action.LEAVE, "finished days are never corrected (corrections)")
    if stance.corrections == Corrections.CAREFUL and why is not None:
        return Judged(point, Action.HOLD, why)
    return Judged(point, Action.SEND)


def _theirs(stance: Stance, point: Point, row: AnyPoint) -> Judged | None:
    """What a person has decided about this point, None when nobody has."""
    if row.frozen is not None:
        if row.frozen == "edited" and stance.on_edit_source:
            return Judged(point, Action.SEND)
        return Judged(point, Action.LEAVE, f"{row.frozen} by a person")
    if row.dropped_hash == point.content_hash:
        return Judged(point, Action.LEAVE, "a person dropped this correction")
    return None


def _harm(stance: Stance, want: Wanted, row: AnyPoint, there: float) -> str | None:
    """Why this write could hurt somebody, None when it can't."""
    value = want.point.value
    step = f"{there:.12g} → {value:.12g}"
    if there != 0.0 and value == 0.0:
        return f"would empty a finished day: {step}"
    if row.sent_at is None:
        return f"{ADOPTED}: {step}"
    if stance.yaw is None:
        return f"would change a finished day: {step}"
    if (value - there) * stance.yaw > 0:
        return None
    return f"would make a finished day worse: {step}"


def _completes(stance: Stance, want: Wanted, there: float) -> bool:
    """Does this only finish what was read while the day ran?"""
    soon = want.over is not None and want.over <= COMPLETED_SECONDS
    return soon and (want.point.value > there if stance.grows else want.point.value != 0.0)


def _there(stance: Stance, row: AnyPoint) -> float | None:
    """What is at Beeminder; of two values, after a push without an answer, the better one."""
    values = [value for value in (row.landed_value,) if value is not None]
    if row.landed_hash is None and row.sent_value is not None:
        values.append(row.sent_value)
    if not values:
        return None
    return min(values) if (stance.yaw or 1) < 0 else max(values)
