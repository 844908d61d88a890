"""How far one long piece of work has come: a bar on a terminal, nothing elsewhere; on stderr."""

import contextlib
import sys
from collections.abc import Callable, Iterator

Show = Callable[[int, int], object]  # (done, of how many)


@contextlib.contextmanager
def shown(what: str) -> Iterator[Show]:
    """Something to call with how many of `what` are done, of how many, as often as one likes."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich import progress  # noqa: PLC0415 -- slow to import, only needed here
    from rich.console import Console  # noqa: PLC0415 -- as above

    columns = (
        progress.BarColumn(),
        progress.TextColumn("{task.completed:.0f}/{task.total:.0f} {task.description}"),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(*columns, console=Console(stderr=True), transient=True) as made:
        bar = made.add_task(what, total=1)
        yield lambda done, total: made.update(bar, completed=done, total=total)
