"""Where in a message of a RIME socket a value stands: in which envelope, under which usual name.

A message is looked through once: thousands of them come in a second.
"""

import json
from collections.abc import Sequence

from clients import rime_messages_kinds as kinds
from clients import rime_messages_progress as progress
from clients import rime_messages_shapes as shapes
from clients.retry_after import LONGEST
from clients.rime_messages_progress import first
from clients.rime_messages_shapes import Level, Shape
from clients.rime_messages_shapes import shape as shape_of
from clients.rime_models import ALIASES

_NESTED_ID = ("id", "step_id", "stepId", "name")
_INNER_LEVELS = 3
_LONGEST_ID = 200
_NAMES = shapes.PLACES

Levels = Sequence[tuple[Level, Shape]]


def levels(frame: Level) -> Levels:
    """The object and what it wraps, outermost first, each with its shape."""
    inner: Level | None = frame
    found: list[tuple[Level, Shape]] = []
    while inner is not None:
        level, shape = inner, shape_of(inner)
        found.append((level, shape))
        if len(found) > _INNER_LEVELS or not (shape.inner or shape.single):
            break
        inner = _inner(level, shape)
    return found


def _inner(level: Level, shape: Shape) -> Level | None:
    for name in shape.inner:
        value = level[name]
        if isinstance(value, dict):
            return value
        if isinstance(value, str) and value.startswith("{"):
            try:
                decoded = json.loads(value)
            except (ValueError, RecursionError):
                continue
            if isinstance(decoded, dict):
                return decoded
    if shape.single:
        (value,) = level.values()
        return value if isinstance(value, dict) else None
    return None


def kind(levels: Levels, event: str) -> str:
    """The outermost kind that says something, else the outermost that there is."""
    fallback = event
    if event and not kinds.is_empty(event) and not levels[0][1].kinds:
        return _shown(event)
    for level, shape in levels:
        for name in shape.kinds:
            value = level[name]
            if isinstance(value, str) and value:
                if not kinds.is_empty(value):
                    return _shown(value)
                fallback = fallback or value
    return "" if kinds.is_empty(fallback) else _shown(fallback)


def found(levels: Levels) -> dict[str, object]:
    """What stands anywhere in these objects (outermost first), by our names; no nulls.

    What is nearer to the content is about it, so it counts.
    """
    values: dict[str, object] = {}
    for level, shape in levels:
        for field, name in shape.places:
            value = level[name]
            if value is not None:
                values[field] = value
    return values


def run(values: Level) -> str | None:
    """The run that is named, as such: an `id` alone may be of anything."""
    value = values.get("run")
    return text(first(value, ALIASES["id"]) if isinstance(value, dict) else value)


def step(values: Level) -> str | None:
    """The step or the table that it is about; one with a bad name is a step all the same."""
    value = values.get("step")
    if value is None:
        value = values.get("step_name")
        if not isinstance(value, str | dict):  # a number is how far it is
            return None
    name = text(first(value, _NESTED_ID) if isinstance(value, dict) else value)
    return None if name is None else _shown(name, _LONGEST_ID) or "?"


def is_run(content: Level, shape: Shape, levels: Levels, told: kinds.Kind) -> bool:
    """Is this a run itself, so that its id is the run's? Beside a kind it is the message's."""
    if first(content, shape.status) is None:
        return False
    frame, outermost = levels[0]
    return told.of_run or content is not frame or not outermost.kinds


def status(content: Level, shape: Shape, told: kinds.Kind) -> str | None:
    """The vendor's word for how it stands; one that is understood goes before others."""
    unknown = None
    for name in shape.status:
        word = content[name]
        if isinstance(word, str) and (cut := _shown(word)):
            if kinds.says(cut):
                return cut
            unknown = unknown or cut
    return told.status or unknown


def own_id(content: Level, shape: Shape) -> str | None:
    """The id of whatever this is."""
    return text(first(content, shape.own)) if shape.own else None


def inner_id(levels: Levels) -> str | None:
    """An id inside an envelope. The envelope's own may be of a subscription."""
    for level, shape in levels[:0:-1]:
        if shape.own and (one := text(level.get("id"))):
            return one
    return None


def attempt(values: Level) -> int | None:
    """Which try it is, as the vendor counts."""
    number = progress.count(values.get("attempt"))
    if number is None:
        # The first retry is the second attempt.
        retry = progress.count(values.get("retry"))
        number = None if retry is None else retry + 1
    return None if number is None else int(number)


def trouble(values: Level) -> tuple[str | None, float | None]:
    """The code of an error, and seconds to stay away."""
    code, wait, error = values.get("code"), values.get("wait"), values.get("error")
    if code is None and wait is None and error is None:  # as it mostly is
        return None, None
    if isinstance(error, dict):
        inner = first(error, ("code", "type"))
        code = code if inner is None else inner
        wait = first(error, _NAMES["wait"]) if wait is None else wait
    name, seconds = text(code), progress.count(wait)
    is_code = name is not None and len(name) <= kinds.LONGEST and name.isprintable()
    return name if is_code else None, None if seconds is None else min(seconds, LONGEST)


def text(value: object) -> str | None:
    """An id: text or a whole number."""
    if isinstance(value, str):
        return value or None
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1e18:  # noqa: PLR2004
        return str(value)
    return None


def _shown(text: str, limit: int = kinds.LONGEST) -> str:
    """So much of it as can be written into a log."""
    cut = text[:limit]
    return cut if cut.isprintable() else "".join(char for char in cut if char.isprintable())
