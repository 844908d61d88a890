"""The live table of `waggle runs --follow`: a bar for each run, drawn again in its place."""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from rich.console import Console, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from worker.cli import output, runs_told

BAR_WIDTH = 20
NOTHING = "nothing runs, and nothing ended in the last minutes"

Draw = Callable[[Iterable[dict[str, Any]], float], None]


@contextlib.contextmanager
def live(console: Console | None = None) -> Iterator[Draw]:
    """Something to call with the runs and the time (UTC seconds); it draws when it is called."""
    with Live(console=console, auto_refresh=False) as drawn:
        yield lambda runs, now: drawn.update(table(runs, now), refresh=True)


def table(runs: Iterable[dict[str, Any]], now: float) -> RenderableType:
    """Each run of `overview.run` in a row, or a sentence where there is none."""
    made = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name in ("run", "source", "state", "progress"):
        made.add_column(name)
    for name in ("", "rows"):
        made.add_column(name, no_wrap=True, justify="right")
    for name in ("stream", "heard of", "last error"):
        made.add_column(name, overflow="fold")
    for run in runs:
        made.add_row(
            _text(run["run"]),
            _text(run["source"]),
            _text(runs_told.state(run), style=output.COLOURS.get(run["state"], "")),
            _bar(run, now),
            _text(runs_told.percent(run)),
            _text(runs_told.rows(run)),
            _text(runs_told.stream(run)),
            _text(runs_told.heard_of(run, now)),
            _text(runs_told.error(run)),
        )
    return made if made.row_count else Text(NOTHING)


def _bar(run: dict[str, Any], now: float) -> RenderableType:
    """How far it is; where that is not known, its steps, or a bar that only moves."""
    if run["progress"] is not None:
        return ProgressBar(
            total=1.0,
            completed=run["progress"],
            width=BAR_WIDTH,
            complete_style="cyan",
            finished_style="green",
        )
    steps = runs_told.steps(run)
    if steps is not None or runs_told.is_over(run):
        return _text(steps)
    return ProgressBar(total=None, pulse=True, width=BAR_WIDTH, animation_time=now)


def _text(value: str | None, *, style: str = "") -> Text:
    return Text("-" if value is None else output.plain(value), style=style)
