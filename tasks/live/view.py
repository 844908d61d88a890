"""How a run stands, put together from messages and from what is read. Pure: values in, a view out.

Messages come late, twice, in another order or not at all. So within one attempt a state never goes
back and what is counted only grows; a higher attempt begins anew. All of it is for people who
watch: that a run is over, and how, is true only as it was read.
"""

import dataclasses
from collections.abc import Mapping

from clients import rime_models
from clients.rime_messages import Message
from clients.rime_messages_kinds import is_end
from clients.rime_models import Outcome
from clients.values import value
from db.runs import Seen
from db.states import RunState, Stream
from tasks.live.view_marks import BLANK, BLANK_COUNTS, Counts, Mark, begins, is_older, moved

MOST_STEPS = 500  # what a server sends beyond it is not kept
_STATES: Mapping[Outcome, RunState] = {
    "succeeded": RunState.COMPLETED,
    "partial": RunState.PARTIALLY_FAILED,
    "failed": RunState.FAILED,
    "skipped": RunState.SKIPPED,
    "cancelled": RunState.CANCELLED,
    "open": RunState.RUNNING,
    "unknown": RunState.RUNNING,
}
_HEARD = ("progress", "ready", "error")


@value
class View:
    """What is known of a run.

    `mark` is how it stands itself, `steps` how its steps do, by their ids, and `counts` what is
    shown of both. `step` was heard of last. `says_over`: a message says that it has ended, so it is
    to be read. `over`: so it was read, and nothing changes any more. `error` is the code of one.
    `started`, `seen_at` in UTC seconds.
    """

    run: str
    mark: Mark = BLANK
    steps: Mapping[str, Mark] = dataclasses.field(default_factory=dict)
    counts: Counts = BLANK_COUNTS
    step: str | None = None
    started: float | None = None
    seen_at: float | None = None
    says_over: bool = False
    over: bool = False
    error: str | None = None

    @property
    def attempt(self) -> int:
        """Which attempt it is, from 1."""
        return max(1, self.mark.attempt)

    @property
    def state(self) -> RunState:
        """How it stands, in our words."""
        return _STATES[self.mark.outcome]


def applied(view: View, message: Message, *, now: float) -> View:
    """The view after a message. What is of another run, or older than what is known, is left."""
    if view.over or message.role not in _HEARD or message.run not in (None, view.run):
        return view
    if message.role != "progress" and message.run is None:
        return view
    if message.step is not None:
        return _of_step(view, message, message.step, now)
    mark = moved(view.mark, message)
    if mark is None:
        return view
    if begins(view.mark, mark.attempt):
        view = _anew(view)
    ended = message.status is not None and is_end(message.status)
    return View(
        run=view.run,
        mark=mark,
        steps=view.steps,
        counts=view.counts.of_run(message, mark),
        step=view.step,
        started=view.started,
        seen_at=now,
        says_over=view.says_over or mark.is_over or ended,
        error=message.code or view.error,
    )


def _of_step(view: View, message: Message, step: str, now: float) -> View:
    """A step has attempts of its own: the vendor tries steps again, not only runs.

    But where the run was said to be over, a step of a later attempt is one of the run's next.
    """
    if view.mark.is_over and message.attempt is not None and message.attempt > view.attempt:
        if is_older(view.mark, message):
            return view
        begun = dataclasses.replace(BLANK, attempt=message.attempt, outcome="open", rank=1)
        view = dataclasses.replace(_anew(view), mark=begun)
    was = view.steps.get(step, BLANK)
    mark = moved(was, message, restarts=True)
    if mark is None or (was is BLANK and len(view.steps) >= MOST_STEPS):
        return view
    return View(
        run=view.run,
        mark=view.mark,
        steps={**view.steps, step: mark},
        counts=view.counts.of_step(message, was, mark),
        step=view.step if mark.is_over else step,
        started=view.started,
        seen_at=now,
        says_over=view.says_over,
        error=view.error,
    )


def snapshot(view: View, run: rime_models.Run, *, attempt: int | None = None, now: float) -> View:
    """The view after the run was read. What was read is true, and where it is over, it is final.

    `attempt`: the vendor's number of it, None where it tells none.
    """
    if view.over or run.id != view.run:
        return view
    number = view.mark.attempt if attempt is None else attempt
    if number < view.mark.attempt or begins(view.mark, number):
        view = _anew(view)
    mark = dataclasses.replace(
        view.mark,
        attempt=number,
        outcome=run.outcome if run.is_over else "open",
        rank=2 if run.is_over else 1,
        rows=view.mark.rows if run.rows is None else run.rows,
    )
    return dataclasses.replace(
        view,
        mark=mark,
        counts=view.counts.read(run),
        started=view.started if run.started is None else run.started,
        seen_at=now,
        says_over=run.is_over,
        over=run.is_over,
    )


def reconnected(view: View) -> View:
    """The view for a new connection, which may number its messages from the start again."""
    steps = {step: dataclasses.replace(mark, seq=None) for step, mark in view.steps.items()}
    return dataclasses.replace(view, mark=dataclasses.replace(view.mark, seq=None), steps=steps)


def seen(
    view: View,
    *,
    stream: Stream = Stream.NONE,
    stream_error: str | None = None,
    reconnects: int = 0,
    error: str | None = None,
    gone: bool = False,
) -> Seen:
    """The view as it is stored, with what its socket does.

    `error`: of reading the run; else the one it has itself. `gone`: nobody will tell its end.
    """
    counts = view.counts
    found: dict[str, object] = {}
    if counts.done is not None:
        found["steps_done"] = counts.done
    if counts.total is not None:
        found["steps_total"] = counts.total
    if view.step is not None and not view.mark.is_over:
        found["step"] = view.step
    return Seen(
        attempt=view.attempt,
        state=RunState.CANCELLED if gone else view.state,
        rows=counts.rows,
        progress=counts.fraction,
        counters=found,
        stream=stream,
        stream_error=stream_error,
        reconnects=reconnects,
        error=error or view.error,
        seen_at=view.seen_at,
        started_at=view.started,
    )


def _anew(view: View) -> View:
    """Another attempt: nothing of the one before is left."""
    return View(run=view.run, started=view.started, seen_at=view.seen_at)
