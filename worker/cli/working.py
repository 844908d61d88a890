"""Work in the process of a command, where no worker runs."""

import contextlib
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from worker.cli.house import House

if TYPE_CHECKING:
    from tasks.runtime import Runtime

HEARTBEAT_SECONDS = 3.0


@contextlib.contextmanager
def here(house: House) -> Iterator["Runtime"]:
    """A runtime for the block with a heartbeat; whatever is held at its end is handed back."""
    from db import feeds  # noqa: PLC0415 -- with its user
    from worker import runtime  # noqa: PLC0415 -- slow to import, only needed here

    ended = threading.Event()
    with runtime.build(house.settings, ring=lambda _task, _queue: False) as rt:

        def renew() -> None:
            while not ended.wait(HEARTBEAT_SECONDS):
                rt.heartbeat()

        beating = threading.Thread(target=renew, name="heartbeat", daemon=True)
        beating.start()
        try:
            yield rt
        finally:
            ended.set()
            beating.join()
            with rt.ledger.write() as session:
                feeds.hand_back(session, owner=rt.owner)
