"""A promise of every provider: its name, one sentence, and the function that tries to break it."""

import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

from worker.kit.stage import Stage

MOST = 10  # problems of one promise that are told; more of them say the same


@dataclass(frozen=True, slots=True)
class Promise:
    """`check` yields what is wrong, a sentence each; `remedy` says what to do about it."""

    name: str
    sentence: str
    remedy: str
    check: Callable[[Stage], Iterator[str]]
    needs_trial: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a promise fared: `problems` is empty where it was kept."""

    promise: str
    sentence: str
    state: Literal["ok", "broken"]
    problems: tuple[str, ...] = ()
    remedy: str = ""


def promise(
    remedy: str, *, needs_trial: bool = True
) -> Callable[[Callable[[Stage], Iterator[str]]], Promise]:
    """Make a promise of a function: its name and the first line of its docstring are told."""

    def made(check: Callable[[Stage], Iterator[str]]) -> Promise:
        sentence = (check.__doc__ or "").strip().splitlines()[0]
        name = check.__name__.replace("_", " ")
        return Promise(name, sentence, remedy, check, needs_trial)

    return made


def tried(one: Promise, stage: Stage) -> Outcome:
    """Try to break it."""
    problems: list[str] = []
    try:
        problems.extend(islice(one.check(stage), MOST))
    except Exception as error:  # noqa: BLE001 -- of a stranger's code, and told by name
        problems.append(told(error))
    if problems:
        return Outcome(one.name, one.sentence, "broken", tuple(problems), one.remedy)
    return Outcome(one.name, one.sentence, "ok")


def told(error: BaseException) -> str:
    """An exception in a line: its type, its text, and where it was raised."""
    text = " ".join(str(error).split())[:200]
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}{': ' if text else ''}{text}{where}"
