"""From what a source said of days to the values that fit the goal's way of counting. Pure.

A goal that sums wants how much a day added; one that does not wants where things stand. A metric of
the other kind is sent in the shape that fits: a running total, or a difference.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tasks.fit import Shape
from tasks.providers import Reading, ValueKind

DIGITS = 12


@dataclass(frozen=True, slots=True)
class Made:
    """The value of one day as it is sent, None for nothing to send; `note` says how it was made."""

    value: float | None
    note: str | None = None


def tidy(value: float) -> float:
    """Twelve digits: 0.1 + 0.2 is 0.3 on somebody's goal."""
    return float(f"{value:.{DIGITS}g}")


def make(
    shape: Shape, kind: ValueKind, readings: Sequence[Reading], *, before: float | None
) -> list[Made]:
    """The value of each day, oldest first.

    `before`: what stood before the first of them. For a running total that is the total so far
    (None: 0), for a difference the reading before (None: there is none, and the first reading is
    where the count starts).
    """
    if shape == Shape.RUNNING:
        made = _running(readings, before or 0.0)
    elif shape == Shape.DIFFERENCE:
        made = _differences(readings, before, falls_to_zero=kind == "counter")
    else:
        made = [Made(reading.value) for reading in readings]
    return [_sendable(one) for one in made]


def _sendable(made: Made) -> Made:
    if made.value is None or math.isfinite(made.value):
        return made
    return Made(None, "the value is too large to be sent")


def _running(readings: Sequence[Reading], total: float) -> list[Made]:
    made = []
    for reading in readings:
        if reading.value is None:
            made.append(Made(None))
            continue
        so_far, total = total, tidy(total + reading.value)
        made.append(Made(total, f"{so_far:.12g} before, {reading.value:.12g} on this day"))
    return made


def _differences(
    readings: Sequence[Reading], before: float | None, *, falls_to_zero: bool
) -> list[Made]:
    made = []
    for reading in readings:
        value = reading.value
        if value is None:
            made.append(Made(None))
            continue
        if before is None:
            made.append(Made(None, f"the first reading, {value:.12g}: the count starts here"))
        elif falls_to_zero and value < before:
            # A counter that was replaced or reset starts at zero again, it does not run backwards.
            made.append(Made(value, f"the counter went back from {before:.12g} to {value:.12g}"))
        else:
            note = f"{value:.12g} after {before:.12g}"
            made.append(Made(tidy(value - before), note))
        before = value
    return made
