"""A worker's life: it says that it lives, renews its leases, and leaves nothing half-done.

The thread pool waits for its tasks for ever, and a task may wait for a vendor. On a stop the
leases are handed back after a short grace, which fences off whatever still runs, and the process
ends. What a killed worker held is claimed by others when its leases end, or at once by one that
starts on the same machine and finds that process gone.
"""

import os
import threading
import time
from importlib import metadata
from pathlib import Path

import structlog
from sqlalchemy.exc import SQLAlchemyError

from db import errands, feeds, workers
from db.models import Worker
from tasks import deaths, housekeeping
from tasks.runtime import Runtime
from worker import whereabouts

log = structlog.get_logger(__name__)

HEARTBEAT_SECONDS = 3.0
GRACE_SECONDS = 4.0
GONE_AFTER_SECONDS = 7.0
LINGER_SECONDS = 0.5
PURGE_EVERY = 20  # heartbeats


class Life:
    """The heartbeat thread of a worker process. `bells`: folder of the embedded queue, if any."""

    def __init__(self, rt: Runtime, *, queues: str, bells: Path | None) -> None:
        self._rt = rt
        self._queues = queues
        self._bells = bells
        self._ended = threading.Event()
        self._leaving = threading.Lock()
        self._registered = False
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Say that this worker is there, and keep saying it.

        Where the ledger does not answer just now the heartbeat says it later: without one the
        leases of this worker would end under its hands for as long as it lives.
        """
        try:
            self._register()
            self._bury_gone()
        except SQLAlchemyError as error:
            log.warning("worker.not_registered", error=type(error).__name__)
        self._thread.start()
        # Whatever was left by the last run is due: do not wait for the first sweep.
        self._rt.ring("sweep", "urgent")

    def _register(self) -> None:
        rt, now = self._rt, self._rt.clock.now()
        with rt.ledger.write() as session:
            workers.register(
                session,
                Worker(
                    name=rt.owner,
                    queues=self._queues,
                    slots=rt.slots.total,
                    version=metadata.version("waggle-server"),
                    started_at=now,
                    seen_at=now,
                ),
            )
        self._registered = True

    def _bury_gone(self) -> None:
        """Whoever was killed on this machine holds nothing: nobody has to wait for their leases."""
        with self._rt.ledger.read() as session:
            known = [worker.name for worker in workers.known(session)]
        gone = [name for name in known if whereabouts.is_gone(name)]
        deaths.bury_gone(self._rt, gone)

    def stop(self) -> None:
        """Stop claiming now; end what can end, hand the rest back. Returns at once."""
        if not self._rt.stopping.is_set():
            self._rt.stopping.set()
            threading.Thread(target=self._leave, name="leave", daemon=True).start()

    def leave(self) -> None:
        """Hand every lease back and say goodbye; the second time it does nothing."""
        with self._leaving:
            if self._ended.is_set():
                return
            self._ended.set()
        rt = self._rt
        try:
            with rt.ledger.write() as session:
                handed = feeds.hand_back(session, owner=rt.owner)
                handed += errands.hand_back(session, owner=rt.owner)
                workers.leave(session, rt.owner)
                rt.tally.write(session, rt.clock.now())
        except SQLAlchemyError as error:
            log.warning("worker.leases_left", error=type(error).__name__)
        else:
            log.info("worker.left", handed_back=handed)
            if handed:  # callbacks may wait for it: nobody has to find it in the next sweep
                rt.ring("sync", "urgent")
        rt.tracer.close()

    def _leave(self) -> None:
        started = time.monotonic()
        while self._rt.slots.busy and time.monotonic() - started < GRACE_SECONDS:
            time.sleep(0.05)
        self.leave()
        # With nothing to do Celery still waits for its broker for seconds, and only a bell that
        # is on its way would be lost. Threads that wait for a vendor would hold it for longer.
        ends_at = started + GONE_AFTER_SECONDS if self._rt.slots.busy else 0.0
        time.sleep(max(LINGER_SECONDS, ends_at - time.monotonic()))
        os._exit(0)

    def _beat(self) -> None:
        count = 0
        while not self._ended.wait(HEARTBEAT_SECONDS):
            count += 1
            try:
                if not self._registered:
                    self._register()
                now = self._rt.heartbeat()
                with self._rt.ledger.write(durable=False) as session:
                    workers.beat(
                        session,
                        name=self._rt.owner,
                        busy=self._rt.slots.busy,
                        now=now,
                    )
                    self._rt.tally.write(session, now)
                self._rt.tally.forget()
            except SQLAlchemyError as error:
                # Leases may end now; whoever claims next fences us off.
                self._rt.was_away()
                log.warning("worker.heartbeat_failed", error=type(error).__name__)
            if self._bells is not None and count % PURGE_EVERY == 0:
                housekeeping.purge_bells(self._bells)
