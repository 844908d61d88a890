"""What the simulated RIME has to say about a run: all of it, or what is new.

The content is that of the pages on pipeline execution: the state of each step, how far it is, how
long it has run, how many steps are done. Its names are not published, so they are switches.
"""

from dataclasses import dataclass, field, replace
from typing import Any

from simulators.rime_live_switches import Names, Switches
from simulators.rime_state import Run, Step
from simulators.rime_unknowns import Unknowns

# In this order: run, attempt, step, status, rows, done, running, elapsed.
_RUN, _ATTEMPT, _STEP, _STATUS, _ROWS, _DONE, _TOTAL, _GOING, _ELAPSED = range(9)
_WORDS: dict[Names, tuple[str, ...]] = {
    "snake": (
        *("run_id", "attempt", "step_id", "status", "total_rows"),
        *("steps_completed", "steps_total", "steps_running", "elapsed_seconds"),
    ),
    "camel": (
        *("runId", "attemptNumber", "stepId", "state", "rowsExtracted"),
        *("stepsCompleted", "stepsTotal", "stepsRunning", "elapsedSeconds"),
    ),
    "short": (
        *("uuid", "try", "step", "status", "row_count"),
        *("steps_done", "steps", "running", "elapsed"),
    ),
    "node": (
        *("id", "attempt_number", "node", "state", "rows"),
        *("completed_steps", "total_steps", "running_steps", "elapsed"),
    ),
}
_SPELLINGS: dict[Names, Any] = {"snake": "snake", "camel": "camel", "short": "short"}
_DONE_STATES = frozenset({"Succeeded", "Skipped"})


@dataclass(frozen=True, slots=True)
class Said:
    """A message before it has an envelope. `last`: the run has ended with it."""

    kind: str
    body: dict[str, Any]
    last: bool = False


@dataclass(slots=True)
class Teller:
    """Tells one socket about one run, and knows what it has told."""

    switches: Switches
    unknowns: Unknowns
    _run: tuple[Any, ...] | None = None
    _steps: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    _begun: bool = False

    def news(self, run: Run, now: float) -> list[Said]:
        """What there is to say now. The first time it may be the whole run, or nothing at all."""
        first, self._begun = not self._begun, True
        state = (run.status, run.attempt, run.rows)
        if first and self.switches.content != "snapshot":
            # Of what was before, nobody is told: a delta is against something.
            self._known(run, state)
            return [] if self.switches.content == "delta" else [self._whole(run, now, "updated")]
        changed = [step for step in run.steps if self._steps.get(step.id) != _of(step)]
        if not changed and state == self._run:
            return []
        self._known(run, state)
        if first or self.switches.content == "full":
            return [self._whole(run, now, "snapshot" if first else "updated")]
        found = [Said("step.updated", self._step(run, step, now)) for step in changed]
        last = run.is_over
        kind = "run.finished" if last else "run.updated"
        return [*found, Said(kind, self._part(run, now), last)]

    def _known(self, run: Run, state: tuple[Any, ...]) -> None:
        self._run = state
        self._steps = {step.id: _of(step) for step in run.steps}

    def _whole(self, run: Run, now: float, word: str) -> Said:
        """The run as the API shows it, and how far it is."""
        names = self.switches.names
        spelling = _SPELLINGS.get(names)
        body = (replace(self.unknowns, names=spelling) if spelling else self.unknowns).run(run)
        if names == "node":
            body |= self._part(run, now)
        words = _WORDS[names]
        body[words[_ATTEMPT]] = run.attempt
        done, total = _count(run)
        body |= progress(self.switches.progress, *_of_run(run, now, done, total))
        return Said(f"run.{word}", body, run.is_over)

    def _part(self, run: Run, now: float) -> dict[str, Any]:
        words = _WORDS[self.switches.names]
        done, total = _count(run)
        body = {
            words[_RUN]: run.id,
            words[_ATTEMPT]: run.attempt,
            words[_STATUS]: self.unknowns.status(run.status),
            words[_ROWS]: run.rows,
            words[_DONE]: done,
            words[_TOTAL]: total,
            words[_GOING]: sum(step.state == "Running" for step in run.steps),
            words[_ELAPSED]: (run.finished_at or now) - (run.started_at or now),
        }
        return body | progress(self.switches.progress, *_of_run(run, now, done, total))

    def _step(self, run: Run, step: Step, now: float) -> dict[str, Any]:
        names = self.switches.names
        words = _WORDS[names]
        body = {
            words[_RUN]: run.id,
            words[_ATTEMPT]: run.attempt,
            words[_STATUS]: self.unknowns.status(step.state),
            words[_ROWS]: step.rows,
            words[_ELAPSED]: (step.ended_at or now) - (step.started_at or now),
        }
        body[words[_STEP]] = {"id": step.id, "name": step.name} if names == "short" else step.id
        if run.plan is None or not run.plan.rows_per_second:
            return body
        most = run.plan.rows_per_second * run.plan.seconds / len(run.steps)
        return body | progress(self.switches.progress, step.rows, most)


def progress(how: str, value: float, most: float) -> dict[str, Any]:
    """So much of so much, as it is spelt; {} where it is not known, or told by rows alone."""
    if most <= 0 or how == "rows":
        return {}
    part = value / most
    spelt: dict[str, dict[str, Any]] = {
        "fraction": {"progress": part},
        "percent": {"percent": 100 * part},
        "hundred": {"progress": 100 * part},
        "value": {"progress": {"value": value, "max": most}},
        "current": {"progress": {"current": value, "total": most}},
        "completed": {"progress": {"completed": value, "total": most}},
    }
    return spelt[how]


def strange(number: int) -> Said:
    """A kind that nobody has heard of."""
    return Said("queue.rebalanced", {"shard": number, "why": ["load", None, {"deep": [[]]}]})


def of_another(words: Names) -> Said:
    """A message about a run that nobody asked for."""
    names = _WORDS[words]
    return Said("run.finished", {names[_RUN]: "run_of_another", names[_STATUS]: "failed"})


def _of(step: Step) -> tuple[Any, ...]:
    return (step.state, step.rows)


def _count(run: Run) -> tuple[int, int]:
    return sum(step.state in _DONE_STATES for step in run.steps), len(run.steps)


def _of_run(run: Run, now: float, done: int, total: int) -> tuple[float, float]:
    """How far it is: by its plan, else by its steps."""
    if run.plan is not None:
        return min(now - (run.started_at or now), run.plan.seconds), run.plan.seconds
    return float(done), float(total)
