"""Work in the process of a command, where no worker runs."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING

from worker.cli.house import House

if TYPE_CHECKING:
    from tasks.runtime import Runtime

HEARTBEAT_SECONDS = 3.0
STOPS = (signal.SIGINT, signal.SIGTERM)
STOPPING = "waggle: stopping at the next step; Ctrl-C again ends it at once\n"
SHOW_CURSOR = "\x1b[?25h"  # a bar hides it, and nothing is drawn after a second Ctrl-C


@contextlib.contextmanager
def here(house: House) -> Iterator["Runtime"]:
    """A runtime for the block with a heartbeat; whatever is held at its end is handed back.

    Ctrl-C ends the work at its next step, and the block by a `KeyboardInterrupt` behind it: call
    `step` of the runtime between two pieces of work.
    """
    from db import feeds  # noqa: PLC0415 -- with its user
    from tasks.runtime import Stopping  # noqa: PLC0415 -- slow to import, only needed here
    from worker import runtime  # noqa: PLC0415 -- as above

    ended = threading.Event()
    with runtime.build(house.settings, ring=lambda _task, _queue: False) as rt:

        def renew() -> None:
            while not ended.wait(HEARTBEAT_SECONDS):
                rt.heartbeat()

        beating = threading.Thread(target=renew, name="heartbeat", daemon=True)
        beating.start()
        try:
            with _stopped_by_signals(rt):
                yield rt
        except Stopping:
            raise KeyboardInterrupt from None
        finally:
            ended.set()
            beating.join()
            with rt.ledger.write() as session:
                feeds.hand_back(session, owner=rt.owner)


def who_goes_on(alive: int) -> str:
    """With what a command leaves in the ledger, where so many workers are alive."""
    return f"{'the worker' if alive else '`waggle up`'} goes on with it"


@contextlib.contextmanager
def _stopped_by_signals(rt: "Runtime") -> Iterator[None]:
    """Have the first signal only ask for an end, and the second one be as quick as a kill.

    An exception that may come between any two calls is something that no library is written for:
    locks stay taken and transactions open. A kill is something that the ledger is written for.
    """

    def stop(*_: int | FrameType | None) -> None:
        for number in before:
            signal.signal(number, signal.SIG_DFL)
        rt.stopping.set()
        begin = f"{SHOW_CURSOR}\n" if sys.__stderr__ is not None and sys.__stderr__.isatty() else ""
        with contextlib.suppress(OSError):  # nobody reads it any more
            os.write(2, (begin + STOPPING).encode())  # a stream may be in use at this moment

    # What is ignored stays ignored: a shell's background jobs are not meant by a Ctrl-C.
    before = {
        number: handler
        for number in STOPS
        if (handler := signal.getsignal(number)) is not signal.SIG_IGN
    }
    for number in before:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
