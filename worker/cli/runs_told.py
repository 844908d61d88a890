"""How a run is told in text: its progress as a bar, its rows, its stream, and what went wrong.

A run is one of `overview.run`; nothing here asks anybody anything.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from db.states import Stream
from webhooks import words
from worker.cli import output

BAR = 20  # characters
COLUMNS = (
    *("run", "source", "state", "progress", "attempt", "rows", "stream"),
    *("started", "finished", "last error"),
)
_STREAMS = {
    Stream.NONE: "none, it is read",
    Stream.OPEN: "open",
    Stream.RETRYING: "retrying",
    Stream.GIVEN_UP: "given up, it is read",
}


def cells(run: Mapping[str, Any]) -> tuple[object, ...]:
    """What stands under `COLUMNS`."""
    return (
        run["run"],
        run["source"],
        run["state"],
        progress(run),
        run["attempt"],
        rows(run),
        stream(run),
        output.when(run["started_at"]),
        output.when(run["finished_at"]),
        error(run),
    )


def is_over(run: Mapping[str, Any]) -> bool:
    """Has it ended, as the source itself was read? What its stream says alone is no end."""
    return run["finished_at"] is not None


def percent(run: Mapping[str, Any]) -> str | None:
    """`42%`, rounded down: what is not done is never shown as done."""
    return None if run["progress"] is None else f"{int(100 * _fraction(run) + 1e-9)}%"


def progress(run: Mapping[str, Any]) -> str | None:
    """A bar and the percentage, with the steps where there are some; None: nothing is known."""
    parts = []
    told = percent(run)
    if told is not None:
        full = int(BAR * _fraction(run) + 1e-9)
        parts.append(f"{'█' * full}{'░' * (BAR - full)} {told:>4}")
    done = steps(run)
    if done is not None:
        parts.append(done)
    return "  ".join(parts) or None


def steps(run: Mapping[str, Any]) -> str | None:
    """`2 of 5 steps, at load`; None: none are known."""
    found = None
    if run["steps_done"] is not None:
        done, total = run["steps_done"], run["steps_total"]
        of = "" if total is None else f" of {total}"
        found = f"{done}{of} step{'' if (total or done) == 1 else 's'}"
    if run["step"] is None or is_over(run):
        return found
    return f"at {run['step']}" if found is None else f"{found}, at {run['step']}"


def rows(run: Mapping[str, Any]) -> str | None:
    """`12,345`."""
    return None if run["rows"] is None else f"{run['rows']:,.0f}"


def stream(run: Mapping[str, Any]) -> str | None:
    """What its socket does, and how often it was opened again; of a run that is over only that."""
    again = run["reconnects"]
    told = f"{again} reconnect{'' if again == 1 else 's'}" if again else None
    if is_over(run):
        return told
    state = _STREAMS.get(run["stream"], run["stream"])
    return state if told is None else f"{state}, {told}"


def error(run: Mapping[str, Any]) -> str | None:
    """The last error of the run, and why its stream does nothing."""
    of_stream = run["stream_error"]
    found = [run["error"], None if of_stream is None else f"stream: {of_stream}"]
    return "; ".join(filter(None, found)) or None


def state(run: Mapping[str, Any]) -> str:
    """The state, with the attempt from the second one on."""
    word: str = run["state"]
    return word if run["attempt"] == 1 else f"{word}, attempt {run['attempt']}"


def heard_of(run: Mapping[str, Any], now: float) -> str:
    """`3 s ago`; `never`."""
    at = run["seen_at"]
    return words.ago(None if at is None else datetime.fromisoformat(at).timestamp(), now)


def _fraction(run: Mapping[str, Any]) -> float:
    return min(1.0, max(0.0, float(run["progress"])))
