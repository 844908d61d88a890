"""Facts that are read while the source is asked, and not before it.

A callback that comes after a push finds facts that urgent work does not believe any more, and
nearly always they turn out to be what they were. So while all is well the source is asked by the
facts as they are, and they are read again meanwhile. Nothing comes of its answers before that is
done: where anything has moved that decides about them they are thrown away, and the source is
asked anew by the facts as they are now. Where anything is the matter, facts go first.
"""

import contextlib
import contextvars
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Generic, TypeVar

from clients.errors import ClientError, Permanent
from db.models import Goal, User
from db.states import FeedState, Lane, UserState
from tasks import facts, gates, reading
from tasks.beeminder import Access, gate_of
from tasks.facts import Ahead, Page
from tasks.gates import DeferredError
from tasks.jobs import Batch, Job
from tasks.reading import Question
from tasks.runtime import Runtime

MOST_JOBS = 5
# What of a person or goal may be another one when the answers come. All else decides about them.
MOVING = {"curval", "losedate", "safebuf", "beeminder_updated_at", "facts_at"}
T = TypeVar("T")
Row = TypeVar("Row", User, Goal)


@dataclass(frozen=True, slots=True)
class Found:
    """What became of the facts, which the rows of the batch hold by now.

    `missing`: as `facts.refresh` tells it. `moved`: what was asked by the facts of before is of no
    use any more.
    """

    missing: dict[int, Permanent]
    moved: bool


def questions(rt: Runtime, batch: Batch) -> list[Question] | None:
    """What to ask the source by the facts as they are; None: they are to be read first."""
    if not (_is_fair(batch, rt.clock.now()) and gate_of(rt, batch.user).is_open()):
        return None
    try:
        return [reading.prepare(rt, batch, job, None) for job in batch.jobs]
    except (ClientError, DeferredError, reading.LookFirstError):
        return None  # what is wrong may have been put right a moment ago


def _is_fair(batch: Batch, now: float) -> bool:
    """Is there anything to read, and nothing that makes it likely that it has changed, or fails?"""
    user, goals = batch.user, [job.goal for job in batch.jobs]
    lanes = {job.held.lane for job in batch.jobs}
    read_at = [user.facts_at, *(goal.facts_at for goal in goals)]
    return (
        Lane.URGENT in lanes
        and len(batch.jobs) <= MOST_JOBS
        and not batch.troubled
        and user.state == UserState.ACTIVE
        and user.timezone is not None
        and not any(facts.is_stale(at, now, facts.BELIEVED_SECONDS) for at in read_at)
        and all(facts.resting(goal) is None for goal in goals)
        and all(_is_well(job) for job in batch.jobs)
        and facts.to_be_read(user, goals, now, seconds=facts.believed(lanes, of=user.id or 0))
    )


def _is_well(job: Job) -> bool:
    feed = job.feed
    troubled = feed.doubtful or feed.restored or feed.suspect or feed.attempts > 0
    return feed.state == FeedState.ACTIVE and feed.deferred_since is None and not troubled


@contextlib.contextmanager
def facts_read(
    rt: Runtime, batch: Batch, access: Access, asked: Sequence[Question]
) -> Iterator["Reading"]:
    """Read the facts of this batch in other threads during the block, which ends when they do.

    `access` is not to be used in it.
    """
    read = Reading(rt, batch, access, moved=_goal_has_moved(batch, asked, rt.clock.now()))
    try:
        yield read
    finally:
        read.end()


def _goal_has_moved(batch: Batch, asked: Sequence[Question], now: float) -> bool:
    """Is it known that the one goal that this is about has to be read, whatever its person says?

    A push of ours since the person was read has moved what tells that nothing has changed.
    """
    user, goals = batch.user, {job.goal.id: job.goal for job in batch.jobs}
    seconds = facts.believed([Lane.URGENT], of=user.id or 0)
    if len(goals) > 1 or not facts.to_be_read(user, goals.values(), now, seconds=seconds):
        return False
    if facts.to_be_read(user, goals.values(), now, seconds=facts.BELIEVED_SECONDS):
        return True
    since = (user.facts_at or now) - facts.SAME_SECOND
    points = [point for question in asked for point in question.memory.points]
    return any(point.landed_at is not None and point.landed_at > since for point in points)


class Reading:
    """Facts that are being read, into rows of their own.

    `moved`: the one goal is to be read, and at the same time its person where they are old as well.
    """

    def __init__(self, rt: Runtime, batch: Batch, access: Access, *, moved: bool) -> None:
        self._batch = batch
        self._access = access
        self._user = _copy(batch.user)
        self._goals = {job.goal.id or 0: _copy(job.goal) for job in batch.jobs}
        lanes = [job.held.lane for job in batch.jobs]
        seconds = facts.believed(lanes, of=access.user_id)
        gates.go_on()
        self._page: _Aside[Page] | None = None
        self._forks = [access.fork()]
        ahead = None
        if moved and facts.is_old(batch.user, rt.clock.now(), seconds):
            fork, (goal,) = access.fork(), self._goals.values()
            self._forks.append(fork)
            asked_at = rt.clock.now()
            self._page = _Aside(lambda: facts.find(fork, goal))
            ahead = Ahead(self._page.result, asked_at)

        def read() -> dict[int, Permanent]:
            with gates.errand(min(lanes)):
                return facts.refresh(
                    rt,
                    self._forks[0],
                    self._user,
                    list(self._goals.values()),
                    seconds=seconds,
                    ahead=ahead,
                    moved=moved,
                )

        self._facts = _Aside(read)

    def end(self) -> None:
        """Wait until nobody is at work any more; what Beeminder has done counts for `access`."""
        for aside in (self._facts, self._page):
            if aside is not None:
                aside.join()
        self._access.join(self._forks)

    def found(self) -> Found:
        """The facts of the batch are those that were read. Raises like `facts.refresh`."""
        missing = self._facts.result()
        moved = _take(self._batch.user, self._user)
        for job in self._batch.jobs:
            moved |= _take(job.goal, self._goals[job.goal.id or 0])
        return Found(missing, moved=bool(missing) or not moved <= MOVING)


def _copy(row: Row) -> Row:
    return type(row)(**{name: getattr(row, name) for name in type(row).model_fields})


def _take(row: Row, read: Row) -> set[str]:
    """Make a row what was read; the names of what was another one in it."""
    names = type(row).model_fields
    changed = {name for name in names if getattr(row, name) != getattr(read, name)}
    for name in changed:
        setattr(row, name, getattr(read, name))
    return changed


class _Aside(Generic[T]):
    """Work in a thread of its own, in the context of whoever begins it."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._done: Future[T] = Future()
        run = contextvars.copy_context().run
        self._thread = threading.Thread(
            target=run, args=(self._run, work), name="facts", daemon=True
        )
        self._thread.start()

    def _run(self, work: Callable[[], T]) -> None:
        try:
            self._done.set_result(work())
        except BaseException as error:  # noqa: BLE001 -- raised where its result is taken
            self._done.set_exception(error)

    def join(self) -> None:
        """Wait for its end, whatever that is."""
        self._thread.join()

    def result(self) -> T:
        """What it comes to, or raises."""
        self._thread.join()
        return self._done.result()
