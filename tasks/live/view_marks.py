"""How far a run or one of its steps is, and what of a message is news. Pure."""

import dataclasses
import functools
from typing import Self, TypeVar

from clients import rime_models
from clients.rime_messages import Message
from clients.rime_models import Outcome, outcome
from clients.values import value

N = TypeVar("N", int, float)

_WAITING = {"pending", "queued", "created", "scheduled", "waiting"}
_OVER = 2
UNTOLD = -1


@value
class Mark:
    """How a run or a step stands.

    `attempt` is in the vendor's count, which may begin at 0; -1 until a number is told.
    `rank`: -1 nothing is known, 0 it waits, 1 it runs, 2 it is over. `rows` and `fraction` (0 to 1)
    are its own. `seq` and `at` (UTC seconds) are of the newest message about it.
    """

    attempt: int = UNTOLD
    outcome: Outcome = "unknown"
    rank: int = -1
    rows: float | None = None
    fraction: float | None = None
    seq: float | None = None
    at: float | None = None

    @property
    def is_over(self) -> bool:
        """Has it come to an end?"""
        return self.rank == _OVER


BLANK = Mark()


@value
class Counts:
    """What is shown; within an attempt of the run none of it shrinks but by being read.

    `rows` are the run's own (`told_rows`), and where it tells none, those of its steps together:
    `rows_of_steps`, over `ended` steps and the others. `fraction` likewise.
    """

    rows: float | None = None
    fraction: float | None = None
    done: int | None = None
    total: int | None = None
    told_rows: bool = False
    told_fraction: bool = False
    rows_of_steps: float = 0.0
    ended: int = 0

    def of_run(self, message: Message, mark: Mark) -> Self:
        """After a message about the run itself."""
        told = mark.fraction is not None
        done, total = grown(self.done, message.steps_done), grown(self.total, message.steps_total)
        fraction = mark.fraction if told else _share(done, total)
        return type(self)(
            rows=grown(self.rows, mark.rows),
            fraction=grown(self.fraction, fraction),
            done=done,
            total=total,
            told_rows=self.told_rows or mark.rows is not None,
            told_fraction=self.told_fraction or told,
            rows_of_steps=self.rows_of_steps,
            ended=self.ended,
        )

    def of_step(self, message: Message, was: Mark, mark: Mark) -> Self:
        """After a message about a step, which stood at `was` before it."""
        ended = self.ended + mark.is_over - was.is_over
        of_steps = self.rows_of_steps + (mark.rows or 0.0) - (was.rows or 0.0)
        some = of_steps if mark.rows is not None and not self.told_rows else None
        done = grown(grown(self.done, message.steps_done), ended or None)
        total = grown(self.total, message.steps_total)
        share = None if self.told_fraction else _share(done, total)
        return type(self)(
            rows=grown(self.rows, some),
            fraction=grown(self.fraction, share),
            done=done,
            total=total,
            told_rows=self.told_rows,
            told_fraction=self.told_fraction,
            rows_of_steps=of_steps,
            ended=ended,
        )

    def read(self, run: rime_models.Run) -> Self:
        """After the run was read."""
        told = run.rows is not None
        return dataclasses.replace(
            self,
            rows=run.rows if told else self.rows,
            told_rows=told or self.told_rows,
            fraction=1.0 if run.outcome == "succeeded" else self.fraction,
        )


BLANK_COUNTS = Counts()


def moved(was: Mark, message: Message, *, restarts: bool = False) -> Mark | None:
    """The mark after a message about this run or step; None: nothing of it is news.

    `restarts`: what failed may begin again without a new number, where the message is surely newer.
    """
    attempt = was.attempt if message.attempt is None else message.attempt
    if attempt < was.attempt:
        return None
    if begins(was, attempt):
        was = BLANK
    if is_older(was, message):
        return None
    came, rank = _standing(message.status)
    if restarts and was.outcome == "failed" and came == "open" and _is_newer(was, message):
        was = dataclasses.replace(BLANK, attempt=attempt)
    # From one end to another only by what is surely newer.
    if rank < was.rank or (rank == was.rank == _OVER and not _is_newer(was, message)):
        came, rank = was.outcome, was.rank
    return Mark(
        attempt=attempt,
        outcome=came,
        rank=rank,
        rows=grown(was.rows, message.rows),
        fraction=grown(was.fraction, message.fraction),
        seq=grown(was.seq, message.seq),
        at=grown(was.at, message.at),
    )


def begins(was: Mark, attempt: int) -> bool:
    """Is this the number of a later attempt? The first that is told names the one there is."""
    return attempt > (1 if was.attempt == UNTOLD else was.attempt)


def is_older(was: Mark, message: Message) -> bool:
    """Is this message older than what is known? The same number twice is the same message."""
    if message.seq is not None and was.seq is not None:
        return message.seq <= was.seq
    return message.at is not None and was.at is not None and message.at < was.at


def _is_newer(was: Mark, message: Message) -> bool:
    if message.seq is not None and was.seq is not None:
        return message.seq > was.seq
    return message.at is not None and was.at is not None and message.at > was.at


@functools.lru_cache(maxsize=1024)  # a message cuts its words
def _standing(status: str | None) -> tuple[Outcome, int]:
    if status is None:
        return "unknown", -1
    came = outcome(status)
    if came == "unknown":
        return came, -1
    if came == "open":
        return came, 0 if status.lower() in _WAITING else 1
    return came, _OVER


def grown(was: N | None, told: N | None) -> N | None:
    """The larger of what is known."""
    return was if told is None or (was is not None and was >= told) else told


def _share(done: int | None, total: int | None) -> float | None:
    return min(1.0, done / total) if done is not None and total else None
