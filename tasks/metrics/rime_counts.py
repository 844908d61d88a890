"""From the runs of a connector or pipeline to the number of a day. Pure.

A run belongs to the day of its end. What decides about it and can't be read is an error that names
the field and the run: a run that is left out would be a count that is wrong and looks right.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from clients.errors import UnexpectedResponse
from clients.rime import Run
from clients.rime_models import Name, Outcome
from tasks.days import Window
from tasks.providers import Reading

MetricName = Literal["rows_extracted", "runs_succeeded", "runs_failed", "run_minutes"]

COUNTS: Mapping[MetricName, frozenset[Outcome]] = {
    # What was loaded before the others failed is there: the vendor says so of its tables.
    "rows_extracted": frozenset({"succeeded", "partial"}),
    "runs_succeeded": frozenset({"succeeded"}),
    "runs_failed": frozenset({"failed"}),
    "run_minutes": frozenset({"succeeded", "partial", "failed", "cancelled"}),
}
UNITS: Mapping[MetricName, str] = {
    "rows_extracted": "rows",
    "runs_succeeded": "runs",
    "runs_failed": "runs",
    "run_minutes": "minutes",
}
FUTURE_SECONDS = 3600.0  # clocks differ by less, time zones by as much or more


@dataclass(frozen=True, slots=True)
class _Ended:
    run: Run
    at: float


def readings(
    metric: MetricName, runs: Iterable[Run], windows: Sequence[Window], *, now: float
) -> dict[str, Reading]:
    """The metric for each day, by daystamp. UnexpectedResponse where a run can't be counted."""
    runs = list(runs)
    _refuse_the_future(runs, now)
    ended = [_Ended(run, _value(run, "ended")) for run in _counted(metric, runs, windows)]
    unknown = _unknown(runs)
    found = {}
    for day in windows:
        counted = [one for one in ended if day.starts_at <= one.at < day.ends_at]
        total = sum(_worth(metric, one) for one in counted)
        note = _note(run for run, at in unknown if day.starts_at <= at < day.ends_at)
        found[day.daystamp] = Reading(float(total), UNITS[metric], note)
    return found


def _counted(metric: MetricName, runs: Iterable[Run], windows: Sequence[Window]) -> Iterable[Run]:
    """The runs that this metric is about and that may have ended in one of the days."""
    last = max((day.ends_at for day in windows), default=0.0)  # they come in any order
    for run in runs:
        if run.outcome not in COUNTS[metric]:
            continue
        if run.outcome == "cancelled" and "missing" in run.wrong.get("started", ""):
            continue  # before it began
        if run.started is not None and run.started >= last:
            continue  # nothing ends before it starts
        yield run


def _refuse_the_future(runs: Iterable[Run], now: float) -> None:
    """An end that is still to come is one of another zone, and then no other is right either."""
    for run in runs:
        if run.is_over and run.ended is not None and run.ended > now + FUTURE_SECONDS:
            raise _wrong(
                run,
                "ends in the future: if the source writes times without a zone, name `times_zone`",
            )


def _worth(metric: MetricName, one: _Ended) -> float:
    if metric == "rows_extracted":
        return _value(one.run, "rows")
    if metric != "run_minutes":
        return 1.0
    started = _value(one.run, "started")
    if started > one.at:
        raise _wrong(one.run, "ends before it starts")
    return (one.at - started) / 60.0


def _value(run: Run, name: Name) -> float:
    values = {"rows": run.rows, "started": run.started, "ended": run.ended}
    value = values[name]
    if value is None:
        problem = run.wrong.get(name, f"field {name} is missing")
        raise _wrong(run, f"{problem}; `{name}_pointer` may say where it is")
    return value


def _wrong(run: Run, problem: str) -> UnexpectedResponse:
    return UnexpectedResponse(
        f"run {run.id[:60]} ({run.status[:40]}): {problem}", request_id=run.request_id
    )


def _unknown(runs: Iterable[Run]) -> list[tuple[Run, float]]:
    """Runs with an end and a word for it that we don't know."""
    return [(run, run.ended) for run in runs if run.outcome == "unknown" and run.ended is not None]


def _note(unknown: Iterable[Run]) -> str | None:
    words = Counter(run.status[:40] for run in unknown)
    if not words:
        return None
    told = ", ".join(f"{count} with {word!r}" for word, count in sorted(words.items()))
    return f"runs with a status that is not known are not counted: {told}"
