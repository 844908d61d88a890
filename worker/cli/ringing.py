"""The doorbell for commands: the ledger has the work already, so a broken one only costs time."""

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from worker.settings import Settings

if TYPE_CHECKING:
    from worker.bells import Bells


@contextlib.contextmanager
def bells(settings: Settings) -> Iterator["Bells"]:
    """The bells of this process for the block."""
    from worker import app  # noqa: PLC0415 -- Celery is slow to import, most commands don't
    from worker.bells import Bells  # noqa: PLC0415 -- as above

    made = Bells(app.make(settings))
    try:
        yield made
    finally:
        made.close()


@contextlib.contextmanager
def ringer(settings: Settings) -> Iterator[Callable[[str, str], bool]]:
    """A `ring(task, queue)` for the block; False when the broker was not reached."""
    with bells(settings) as made:
        yield made.ring
