"""What a write may do to a day that is over. Pure.

Beeminder derails a goal the moment that yesterday turns red, whoever wrote the point. So a write
that makes a finished day worse, empties it, or is one of many is held until a person lets it pass.
What is better is sent; today is open, and goes on without being asked about.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from db.models import Datapoint, DatapointState
from db.outbox import Action, Judged, Point

MANY = 3  # finished days that may change in one go
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

    `sums`: each point adds to the goal; else a point says where it stands.
    `on_edit_source`: what a person edited is written over.
    """

    corrections: Corrections
    yaw: int | None
    sums: bool
    on_edit_source: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """A point that should be at Beeminder, and whether its day is over."""

    point: Point
    finished: bool


def judge(
    stance: Stance,
    wanted: Sequence[Wanted],
    known: Mapping[str, Datapoint],
    *,
    stood: float | None = None,
) -> list[Judged]:
    """Send, hold or leave each point, in the order given, which is by day.

    `known`: the rows of the outbox by requestid. `stood`: where a goal that does not sum stood
    before the first of these days, None when that is not known.
    """
    judged = []
    for want in wanted:
        row = known.get(want.point.requestid)
        judged.append(_one(stance, want, row, stood))
        if row is not None and row.landed_value is not None:
            stood = row.landed_value
        elif judged[-1].action == Action.SEND:
            stood = want.point.value
    changed = [
        index
        for index, (want, judgement) in enumerate(zip(wanted, judged, strict=True))
        if want.finished
        and judgement.action == Action.SEND
        and _changes(want.point, known.get(want.point.requestid))
    ]
    if stance.corrections == Corrections.CAREFUL and len(changed) > MANY:
        why = f"{len(changed)} finished days would change at once"
        for index in changed:
            judged[index] = Judged(wanted[index].point, Action.HOLD, why)
    return judged


def _changes(point: Point, row: Datapoint | None) -> bool:
    """Is this a new value for a day that has one, which nobody has let pass yet?"""
    return (
        row is not None
        and row.landed_value is not None
        and row.landed_value != point.value
        and not _settled(point, row)
    )


def _settled(point: Point, row: Datapoint) -> bool:
    """Has this very content been judged, and let pass, before?"""
    if row.approved_hash == point.content_hash:
        return True
    judged = row.state in (DatapointState.PENDING, DatapointState.LANDED)
    return judged and row.content_hash == point.content_hash


def _one(stance: Stance, want: Wanted, row: Datapoint | None, stood: float | None) -> Judged:
    point = want.point
    theirs = None if row is None else _theirs(stance, point, row)
    if theirs is not None:
        return theirs
    there = None if row is None else row.landed_value
    settled = row is not None and _settled(point, row)
    if not want.finished or settled or there == point.value:  # at most the comment differs
        return Judged(point, Action.SEND)
    why = _harm(stance, point, row, stood)
    if stance.corrections == Corrections.NEVER and (there is not None or why is not None):
        return Judged(point, Action.LEAVE, "finished days are never corrected (corrections)")
    if stance.corrections == Corrections.CAREFUL and why is not None:
        return Judged(point, Action.HOLD, why)
    return Judged(point, Action.SEND)


def _theirs(stance: Stance, point: Point, row: Datapoint) -> Judged | None:
    """What a person has decided about this point, None when nobody has."""
    if row.frozen is not None:
        if row.frozen == "edited" and stance.on_edit_source:
            return Judged(point, Action.SEND)
        return Judged(point, Action.LEAVE, f"{row.frozen} by a person")
    if row.dropped_hash == point.content_hash:
        return Judged(point, Action.LEAVE, "a person dropped this correction")
    return None


def _harm(stance: Stance, point: Point, row: Datapoint | None, stood: float | None) -> str | None:
    """Why this write could hurt somebody, None when it can't."""
    there = _there(stance, row)
    if there is not None and there != 0.0 and point.value == 0.0:
        return f"would empty a finished day: {there:.12g} → 0"
    if row is not None and row.landed_value is not None and row.sent_at is None:
        return f"{ADOPTED}: {row.landed_value:.12g} → {point.value:.12g}"
    old = there if there is not None else (0.0 if stance.sums else stood)
    if old is None:
        return None
    better = (point.value - old) * (stance.yaw or 0)
    if better > 0 or point.value == old:
        return None
    if stance.yaw is None:
        return f"would change a finished day: {old:.12g} → {point.value:.12g}"
    return f"would make a finished day worse: {old:.12g} → {point.value:.12g}"


def _there(stance: Stance, row: Datapoint | None) -> float | None:
    """What is at Beeminder; of two values, after a push without an answer, the better one."""
    if row is None:
        return None
    values = [value for value in (row.landed_value,) if value is not None]
    if row.landed_hash is None and row.sent_value is not None:
        values.append(row.sent_value)
    if not values:
        return None
    return min(values) if (stance.yaw or 1) < 0 else max(values)
