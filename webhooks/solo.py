"""One thread of its own for one kind of blocking work.

The commits, the questions of the holds and the bells each have one, so that none of them waits
behind another, and a page that is slow to read takes no thread away from them. The threads are
daemons: a database or broker that hangs can't keep a process that was told to stop.
"""

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


class SoloThread:
    """Runs what it is given, one after the other, in the order given."""

    def __init__(self, name: str) -> None:
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=f"receiver-{name}", daemon=True)
        self._thread.start()

    def do(self, job: Callable[[], None]) -> None:
        """Have `job` run some time; never blocks. `job` must not raise."""
        self._jobs.put(job)

    def call(self, ask: Callable[[], Result]) -> asyncio.Future[Result]:
        """The result of `ask`, as a future of the running loop; its error is the future's."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Result] = loop.create_future()

        def settle(set_it: Callable[[], None]) -> None:
            if not future.done():
                set_it()

        def job() -> None:
            try:
                result = ask()
            except Exception as error:  # noqa: BLE001 -- nothing is hidden: whoever awaits gets it
                caught = error
                _on(loop, lambda: settle(lambda: future.set_exception(caught)))
            else:
                _on(loop, lambda: settle(lambda: future.set_result(result)))

        self._jobs.put(job)
        return future

    def stop(self) -> None:
        """End the thread after what it has been given; does not wait for it."""
        self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()


def _on(loop: asyncio.AbstractEventLoop, what: Callable[[], None]) -> None:
    # The loop may be gone when a thread that hung comes back: nobody is waiting then.
    if not loop.is_closed():
        loop.call_soon_threadsafe(what)
