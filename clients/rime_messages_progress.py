"""How far something is, in the usual forms: a share, percent, pairs, rows and steps.

RIME does not publish its form. What is no number, or an impossible one, tells nothing.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

from clients import rime_messages_shapes as shapes
from clients.rime_messages_shapes import Level, Shape
from clients.rime_messages_shapes import shape as shape_of
from clients.rime_models import ALIASES, outcome

_MOST = 1e15  # beyond it a float drops rows
_DIGITS = re.compile("[0-9]{1,15}")
_LONGEST_LIST = 1000
CONTENT = shapes.CONTENT


class Progress(NamedTuple):
    """How far it is. `fraction` 0 to 1; None: not told."""

    rows: float | None = None
    fraction: float | None = None
    steps_done: int | None = None
    steps_total: int | None = None


def found(level: Level, shape: Shape) -> Progress:
    """What stands in this object, which has this shape."""
    rows = count(first(level, shape.rows)) if shape.rows else None
    fraction = None
    told = level.get("progress")
    if type(told) is float and 0 <= told <= 1:  # as most say it
        fraction = told
    elif isinstance(told, dict):
        inside = shape_of(told)
        fraction = _percent(told, inside)
        if fraction is None:
            fraction = _pair(told, inside)
        if rows is None:
            rows = count(first(told, inside.rows))
    elif told is not None:
        fraction = _number(told)
        # More than a hundred percent: it counts something, and what is counted is rows.
        if fraction is None and rows is None and not isinstance(told, str):
            many = count(told)
            rows = many if many is not None and many > 100 and many.is_integer() else None  # noqa: PLR2004
    if fraction is None and shape.percent:
        fraction = _percent(level, shape)
    if fraction is None and shape.pairs:
        fraction = _pair(level, shape)
    if not (shape.steps_done or shape.steps_total or shape.lists):
        return Progress(rows, fraction)
    return Progress(rows, fraction, *_counted(level, shape))


def _counted(level: Level, shape: Shape) -> tuple[int | None, int | None]:
    """So many steps are over, of so many."""
    done, total = _whole(first(level, shape.steps_done)), _whole(first(level, shape.steps_total))
    for name in shape.lists:
        items = level[name]
        if isinstance(items, list) and items and done is None and total is None:
            done, total = _steps(items)
    return done, total


def first(level: Level, names: Iterable[str]) -> object:
    """The first of these fields that is there and no null."""
    for name in names:
        value = level.get(name)
        if value is not None:
            return value
    return None


def count(value: object) -> float | None:
    """So many, as a number or as digits; None for anything else."""
    if type(value) is int or type(value) is float:  # no bool
        return float(value) if 0 <= value < _MOST else None
    if isinstance(value, str):
        return float(value) if _DIGITS.fullmatch(value) else None
    return None


def _whole(value: object) -> int | None:
    if type(value) is int and 0 <= value < _MOST:
        return value
    many = count(value)
    return None if many is None else int(many)


def _number(value: object) -> float | None:
    """A share up to 1, percent beyond it.

    A whole 1 may be either. It tells nothing: what is shown never shrinks again, and the end of a
    run is told by its state.
    """
    many = None if isinstance(value, str) else count(value)
    if many is None or many > 100 or (many == 1 and isinstance(value, int)):  # noqa: PLR2004
        return None
    return many if many <= 1 else many / 100


def _percent(level: Level, shape: Shape) -> float | None:
    many = count(first(level, shape.percent))
    return None if many is None else min(1.0, many / 100)


def _pair(level: Level, shape: Shape) -> float | None:
    for part, whole in shape.pairs:
        some, everything = count(level[part]), count(level[whole])
        if some is not None and everything:
            return min(1.0, some / everything)
    return None


def _steps(items: list[object]) -> tuple[int | None, int | None]:
    """How many of these steps are over, and how many there are."""
    if len(items) > _LONGEST_LIST or not all(isinstance(item, dict) for item in items):
        return None, None
    words = [first(item, ALIASES["status"]) for item in items if isinstance(item, dict)]
    over = [word for word in words if isinstance(word, str) and outcome(word) not in _NOT_OVER]
    return len(over), len(items)


_NOT_OVER = ("open", "unknown")
