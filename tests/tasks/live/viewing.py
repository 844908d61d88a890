"""Messages and reads of one run, and the view after them."""

from clients.rime_messages import Message
from clients.rime_models import Run, outcome
from db.states import RunState
from tasks.live.view import View, applied

NOW = 1_800_000_000.0
STATES = {
    "completed": RunState.COMPLETED,
    "partially_failed": RunState.PARTIALLY_FAILED,
    "failed": RunState.FAILED,
    "skipped": RunState.SKIPPED,
    "cancelled": RunState.CANCELLED,
}


def progress(**fields) -> Message:
    """A message about progress."""
    return Message(role="progress", **fields)


def after(*messages: Message, view: View | None = None) -> View:
    """The view after these messages."""
    view = View(run="r1") if view is None else view
    for number, one in enumerate(messages):
        view = applied(view, one, now=NOW + number)
    return view


def read_run(status: str, rows: float | None = None, run: str = "r1") -> Run:
    """A run as the API tells it."""
    return Run(id=run, status=status, outcome=outcome(status), rows=rows, started=NOW - 60)


def steps_of(view: View) -> dict[str, str]:
    """How its steps stand."""
    return {step: mark.outcome for step, mark in view.steps.items()}
