"""How far backfills have come: a bar on a terminal, plain lines elsewhere; both on stderr."""

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import click

from db import names
from db.models import Backfill
from tasks import days
from worker.cli import output


@dataclass(frozen=True, slots=True)
class Tracked:
    """A backfill, the name of its feed, and what keeps the feed from being worked on, if it is."""

    name: str
    row: Backfill
    halted: str | None = None


Show = Callable[[Sequence[Tracked]], None]


def counted(row: Backfill) -> tuple[int, int]:
    """(days done, days asked for)."""
    first, following, last = (
        days.parse(stamp) for stamp in (row.first_day, row.next_day, row.last_day)
    )
    return (following - first).days, (last - first).days + 1


@contextlib.contextmanager
def shown(tracked: Sequence[Tracked]) -> Iterator[Show]:
    """Something to call with what the rows have become, as often as one likes."""
    if _is_terminal():
        with _bars(tracked) as show:
            yield show
    else:
        yield _lines()


def _is_terminal() -> bool:
    return sys.stderr.isatty()


def _lines() -> Show:
    said: dict[str, str] = {}

    def show(tracked: Sequence[Tracked]) -> None:
        for one in tracked:
            done, total = counted(one.row)
            line = f"{one.name}: {done} of {total} days, {_words(one.row)}"
            if said.get(one.name) != line:
                said[one.name] = line
                click.echo(line, err=True)

    return show


@contextlib.contextmanager
def _bars(tracked: Sequence[Tracked]) -> Iterator[Show]:
    from rich import progress  # noqa: PLC0415 -- slow to import, only needed here
    from rich.console import Console  # noqa: PLC0415 -- as above

    columns = (
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(),
        progress.TextColumn("{task.completed:.0f}/{task.total:.0f} days", markup=False),
        progress.TextColumn("{task.fields[words]}", markup=False),
    )
    with progress.Progress(*columns, console=Console(stderr=True)) as made:
        bars = {
            one.row.id: made.add_task(one.name, total=counted(one.row)[1], words="")
            for one in tracked
        }

        def show(tracked: Sequence[Tracked]) -> None:
            for one in tracked:
                done, total = counted(one.row)
                made.update(bars[one.row.id], completed=done, total=total, words=_words(one.row))

        yield show


def _words(row: Backfill) -> str:
    """What was written and held, and the day that is next, or the trouble."""
    found = f"{row.written} written, {row.held} held"
    if row.error:
        return f"{found}; trying again: {output.plain(row.error)}"
    going = row.next_day <= row.last_day
    return f"{found}, at {names.dashed(row.next_day)}" if going else found
