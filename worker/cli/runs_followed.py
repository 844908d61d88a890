"""Runs while somebody looks: a live table on a terminal, a line for each change elsewhere."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import click

from db import overview, runs_listed
from worker.cli import output, runs_told
from worker.cli.house import House

EVERY_SECONDS = 1.0
ENDED_SECONDS = 300.0  # so long a run that has ended stays below those that run


@dataclass(frozen=True, slots=True)
class Look:
    """What was there at `now` (UTC seconds): runs as in `overview.run`, by their rows' ids."""

    now: float
    runs: dict[int, dict[str, Any]]

    @property
    def is_idle(self) -> bool:
        """Does nothing run? What runs comes first, so no limit hides it."""
        return all(runs_told.is_over(run) for run in self.runs.values())


Show = Callable[[Look], None]


def looking(house: House, *, source_id: int | None, limit: int) -> Callable[[], Look]:
    """Something that reads the ledger once: what runs, then what ended in the last minutes."""

    def look() -> Look:
        now = house.now()
        with house.ledger.read() as session:
            rows = runs_listed.rows(
                session,
                limit=limit,
                source_id=source_id,
                running_first=True,
                ended_after=now - ENDED_SECONDS,
            )
            return Look(now, {row["id"]: overview.run(row) for row in rows})

    return look


def follow(
    look: Callable[[], Look], show: Show, *, until_idle: bool, sleep: Callable[[float], None]
) -> None:
    """Look and show once a second until Ctrl-C, or until nothing runs where `until_idle`."""
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            found = look()
            show(found)
            if until_idle and found.is_idle:
                return
            sleep(EVERY_SECONDS)


@contextlib.contextmanager
def shown() -> Iterator[Show]:
    """Something to call with each look."""
    if sys.stdout.isatty():
        from worker.cli import runs_live  # noqa: PLC0415 -- slow to import, only needed here

        with runs_live.live() as draw:
            yield lambda found: draw(found.runs.values(), found.now)
    else:
        yield lines()


def lines() -> Show:
    """One line per change of a run: no line says again what the one before said."""
    said: dict[int, str] = {}

    def show(found: Look) -> None:
        for run_id, run in found.runs.items():
            line = _line(run)
            if said.get(run_id) != line:
                said[run_id] = line
                click.echo(f"{output.when(overview.iso(found.now))} {line}")
        sys.stdout.flush()  # somebody may read along

    return show


def _line(run: dict[str, Any]) -> str:
    told = [
        ("", f"{run['source']} {run['run']} {runs_told.state(run)}"),
        ("", runs_told.percent(run)),
        ("rows ", runs_told.rows(run)),
        ("", runs_told.steps(run)),
        ("" if runs_told.is_over(run) else "stream ", runs_told.stream(run)),
        ("error: ", runs_told.error(run)),
    ]
    return output.plain(", ".join(f"{name}{part}" for name, part in told if part is not None))
