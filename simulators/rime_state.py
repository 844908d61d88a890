"""What a simulated RIME tenant holds: people, keys, projects, connectors, pipelines and their runs.

Runs that were started live by the clock: they grow until the plan that they were started with ends
them. Safe to use from any thread through `lock`.
"""

import itertools
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["connector", "pipeline"]

OVER = frozenset({"Completed", "Partially failed", "Failed", "Skipped", "Cancelled", "Succeeded"})


@dataclass(slots=True)
class Step:
    """A step of a run, with the words of the page on pipeline execution."""

    id: str
    name: str
    state: str = "Pending"
    rows: int = 0
    started_at: float | None = None
    ended_at: float | None = None


@dataclass(slots=True)
class Plan:
    """How a run goes on by itself: rows each second, for so many seconds, and how it ends."""

    rows_per_second: float = 0.0
    seconds: float = 60.0
    ends_as: str = "Completed"


@dataclass(slots=True, kw_only=True)
class Run:
    """A run. `status` in the words of the pages; instants are Unix seconds.

    `hidden`: fields that its JSON lacks; `extra`: what it has beside them.
    """

    id: str
    status: str
    trigger: str = "scheduled"
    attempt: int = 1
    rows: int | None = 0
    started_at: float | None = None
    finished_at: float | None = None
    steps: list[Step] = field(default_factory=list)
    plan: Plan | None = None
    hidden: frozenset[str] = frozenset()
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def is_over(self) -> bool:
        """Has it ended?"""
        return self.status in OVER


@dataclass(slots=True)
class Owner:
    """A connector or a pipeline, with its runs in the order in which they were made."""

    id: str
    kind: Kind
    name: str
    state: str = "Active"
    runs: dict[str, Run] = field(default_factory=dict)


@dataclass(slots=True)
class Project:
    """A project with what runs in it."""

    id: str
    name: str
    connectors: dict[str, Owner] = field(default_factory=dict)
    pipelines: dict[str, Owner] = field(default_factory=dict)

    def owners(self, kind: Kind) -> dict[str, Owner]:
        """Its connectors or its pipelines."""
        return self.connectors if kind == "connector" else self.pipelines


@dataclass(slots=True)
class Person:
    """Who may log in. `projects` None: all of them."""

    email: str
    password: str = field(repr=False)
    projects: frozenset[str] | None = None


@dataclass(slots=True)
class Session:
    """A token and whose it is; `kind` tells keys and refresh tokens apart."""

    person: Person
    kind: Literal["access", "refresh", "key"]
    ends_at: float | None = None


class RimeState:
    """Everything that there is; `harm` is every call that would have changed it."""

    def __init__(self, *, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.lock = threading.RLock()
        self.people: dict[str, Person] = {}
        self.sessions: dict[str, Session] = {}
        self.projects: dict[str, Project] = {}
        self.harm: list[tuple[str, str]] = []
        self.growers: list[Callable[[float], None]] = []
        self._numbers = itertools.count(1)

    def add_person(
        self, email: str, password: str, *, projects: frozenset[str] | None = None
    ) -> Person:
        """Somebody who may log in."""
        with self.lock:
            person = self.people[email] = Person(email, password, projects)
            return person

    def add_key(self, key: str, *, projects: frozenset[str] | None = None) -> None:
        """An API key; None: of all projects."""
        with self.lock:
            self.sessions[key] = Session(Person("", "", projects), "key")

    def add_project(self, project_id: str, name: str = "") -> Project:
        """An empty project."""
        with self.lock:
            made = self.projects[project_id] = Project(project_id, name or project_id)
            return made

    def add_connector(self, project_id: str, connector_id: str, name: str = "") -> Owner:
        """A connector without runs."""
        return self._add(project_id, "connector", connector_id, name)

    def add_pipeline(self, project_id: str, pipeline_id: str, name: str = "") -> Owner:
        """A pipeline without runs."""
        return self._add(project_id, "pipeline", pipeline_id, name)

    def _add(self, project_id: str, kind: Kind, owner_id: str, name: str) -> Owner:
        with self.lock:
            made = Owner(owner_id, kind, name or owner_id)
            self.projects[project_id].owners(kind)[owner_id] = made
            return made

    def owner(self, owner_id: str) -> Owner:
        """A connector or pipeline by its id; KeyError if there is none."""
        for owner in self._owners():
            if owner.id == owner_id:
                return owner
        raise KeyError(owner_id)

    def _owners(self) -> Iterator[Owner]:
        for project in self.projects.values():
            yield from project.connectors.values()
            yield from project.pipelines.values()

    def add_run(self, owner_id: str, *, status: str = "Completed", **more: Any) -> Run:
        """A run as it is to be; names as those of `Run`. An id is made up where none is given."""
        with self.lock:
            run_id = more.pop("id", None) or f"run_{next(self._numbers):06d}"
            run = Run(id=run_id, status=status, **more)
            self.owner(owner_id).runs[run_id] = run
            return run

    def start_run(
        self,
        owner_id: str,
        *,
        plan: Plan | None = None,
        steps: tuple[str, ...] = (),
        **more: Any,
    ) -> Run:
        """A run that begins now. Without a plan it runs until `finish_run`."""
        made = [Step(f"step_{number}", name) for number, name in enumerate(steps, 1)]
        now = self.clock()
        run = self.add_run(
            owner_id, status="Running", plan=plan, steps=made, started_at=now, **more
        )
        if made:
            made[0].state, made[0].started_at = "Running", now
        return run

    def finish_run(
        self, run: Run, status: str = "Completed", *, rows: int | None = None, at: float = 0.0
    ) -> None:
        """It ends, now unless `at` is given; steps that are under way end with it."""
        with self.lock:
            run.status, run.plan, run.finished_at = status, None, at or self.clock()
            run.rows = run.rows if rows is None else rows
            good = status in ("Completed", "Succeeded")
            for step in run.steps:
                if step.state == "Running":
                    step.state = "Succeeded" if good else "Failed"
                elif step.state == "Pending":
                    step.state = "Succeeded" if good else "Skipped"
                step.ended_at = step.ended_at or run.finished_at

    def retry_run(self, run: Run) -> None:
        """One more attempt of a run that failed: it runs again, and counts from nothing."""
        with self.lock:
            run.status, run.attempt, run.rows, run.finished_at = "Running", run.attempt + 1, 0, None
            for number, step in enumerate(run.steps):
                step.state, step.rows = "Running" if number == 0 else "Pending", 0
                step.started_at, step.ended_at = None, None

    def grow(self) -> None:
        """Let what runs by a plan, and what the growers make, come to where it is by now."""
        with self.lock:
            now = self.clock()
            for grower in self.growers:
                grower(now)
            for owner in self._owners():
                for run in owner.runs.values():
                    if run.plan is not None and not run.is_over:
                        self._live(run, run.plan, now)

    def grow_run(self, run: Run) -> None:
        """The same of one run, without a walk through all of them."""
        with self.lock:
            if run.plan is not None and not run.is_over:
                self._live(run, run.plan, self.clock())

    def _live(self, run: Run, plan: Plan, now: float) -> None:
        lived = min(now - (run.started_at or now), plan.seconds)
        run.rows = int(plan.rows_per_second * lived)
        for number, step in enumerate(run.steps):
            begins = plan.seconds * number / len(run.steps)
            ends = plan.seconds * (number + 1) / len(run.steps)
            if lived >= begins:
                step.state = "Succeeded" if lived >= ends else "Running"
                step.rows = int(plan.rows_per_second * (min(lived, ends) - begins))
        if lived >= plan.seconds:
            self.finish_run(run, plan.ends_as, at=(run.started_at or now) + plan.seconds)
