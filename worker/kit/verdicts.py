"""Is what came of a question what is due? Each function gives the problems, a sentence each."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from clients.errors import AuthFailed, ClientError, Transient
from clients.gate import ClosedError
from tasks.providers import Reading
from tasks.trial import Feed
from worker.kit.promises import told
from worker.kit.stage import Stage, Told
from worker.kit.vendor import Trouble


@dataclass(frozen=True, slots=True)
class Asked:
    """A feed under the key that it was asked with, and the days of the question."""

    feed: Feed
    key: int = 1
    days: tuple[str, ...] = ()


def outcome(result: Told, key: int = 1) -> object:
    """The answer under this key, or what was raised instead of all answers."""
    if result.raised is not None:
        return result.raised
    if not isinstance(result.value, Mapping):
        return result.value
    return result.value.get(key)


def wrong_values(stage: Stage, answer: object, asked: Asked) -> Iterator[str]:
    """Readings that are not those which the trial names."""
    if isinstance(answer, BaseException):
        yield f"an error where a number is due: {told(answer)}"
        return
    if not isinstance(answer, Mapping):
        yield f"no readings by daystamp, but {type(answer).__name__}"
        return
    for window in stage.trial.days:
        day = window.daystamp
        if asked.days and day not in asked.days:
            continue
        runs = window.starts_at <= stage.trial.now < window.ends_at
        if not runs and not stage.provider.metrics[asked.feed.metric].history:
            continue
        reading, due = answer.get(day), asked.feed.on(day)
        if not isinstance(reading, Reading):
            yield f"no reading for {day}"
        elif reading.value is not None and not _finite(reading.value):
            yield f"{reading.value!r} for {day}: neither a finite number nor None"
        elif not _same(reading.value, due):
            yield f"{reading.value!r} for {day} where {due!r} is due"
        elif reading.records and not _same(math.fsum(r.value for r in reading.records), due):
            yield f"the records of {day} do not add up to its value"


def wrong_in_trouble(stage: Stage, result: Told, asked: Asked, trouble: Trouble) -> Iterator[str]:
    """Neither an error of ours nor the very values that are due."""
    answer = outcome(result, asked.key)
    if isinstance(answer, BaseException):
        yield from wrong_error(answer, trouble)
    else:
        yield from wrong_values(stage, answer, asked)


def wrong_error(error: BaseException, trouble: Trouble) -> Iterator[str]:
    """An error that is none of ours, or says the wrong thing to do."""
    if trouble.limit and isinstance(error, ClosedError):
        return
    if not isinstance(error, ClientError):
        yield f"{told(error)}: none of clients.errors"
    elif trouble.transient and not isinstance(error, Transient):
        yield f"{told(error)}: has to be Transient, it is worth another try"
    elif trouble.refused_login and not isinstance(error, AuthFailed):
        yield f"{told(error)}: has to be AuthFailed, or its owner is not told"


def _finite(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _same(found: float | None, due: float | None) -> bool:
    if found is None or due is None:
        return found is due
    return math.isclose(found, due, rel_tol=1e-9, abs_tol=1e-9)
