"""Hears that events have ended, and has those that are held for them looked at.

One thread waits, for the whole process; see `db.listening` for what.
"""

from db import listening
from db.engine import Ledger
from webhooks.holds import Holds
from webhooks.solo import SoloThread

WAIT_SECONDS = 1.0


class Waker:
    """Wakes whoever is held; `run` has to be running for that."""

    def __init__(self, *, ledger: Ledger, holds: Holds) -> None:
        self._holds = holds
        self._watch = listening.watch(ledger, holds.held)
        self._thread = SoloThread("waker")

    async def run(self) -> None:
        """Hear and wake until cancelled."""
        while True:
            if not self._watch.of_all:
                await self._holds.anybody()
            heard = await self._thread.call(lambda: self._watch.wait(WAIT_SECONDS))
            self._holds.surely_heard = self._watch.sure
            self._holds.wake(heard)

    def stop(self) -> None:
        """End the thread, which closes its connection."""
        self._watch.close()
        self._thread.do(self._watch.let_go)
        self._thread.stop()
