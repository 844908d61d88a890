"""Ringing: one bounded attempt to publish, and never a wait behind a broker that hangs.

A client library may block for tens of seconds on a frozen broker whatever its settings say. So one
thread publishes, callers wait for it at most `deadline` seconds, and while it is stuck every
further bell is given up at once: the ledger has the work, and the sweep rings again.
"""

import concurrent.futures
import threading
from collections.abc import Callable

import structlog
from celery import Celery
from kombu.exceptions import KombuError

log = structlog.get_logger(__name__)

DEADLINE_SECONDS = 1.0


class Bells:
    """The doorbell of one process."""

    def __init__(self, app: Celery, *, deadline: float = DEADLINE_SECONDS) -> None:
        self._app = app
        self._deadline = deadline
        self._thread = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="bells")
        self._lock = threading.Lock()
        with app.connection_for_write() as connection:  # opens nothing yet
            self._library_errors: tuple[type[Exception], ...] = (
                *connection.connection_errors,
                *connection.channel_errors,
            )
        self._stuck: concurrent.futures.Future[None] | None = None

    def ring(self, task: str, queue: str) -> bool:
        """Ring one bell; False when the broker was not reached within the deadline."""
        return self._within_deadline(lambda: self._publish(task, queue), task=task, queue=queue)

    def reachable(self) -> bool:
        """Does the broker answer?"""
        return self._within_deadline(self._connect, task="probe", queue="")

    def close(self) -> None:
        """Stop ringing; a publisher that hangs is left behind."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _within_deadline(self, act: Callable[[], None], *, task: str, queue: str) -> bool:
        with self._lock:
            if self._stuck is not None and not self._stuck.done():
                return False
            self._stuck = None
        try:
            future = self._thread.submit(act)
        except RuntimeError:  # the process is going down
            return False
        try:
            future.result(self._deadline)
        except concurrent.futures.TimeoutError:
            with self._lock:
                self._stuck = future
            log.warning("bell.stuck", task=task, queue=queue)
            return False
        except (OSError, KombuError, *self._library_errors) as error:
            log.warning("bell.failed", task=task, queue=queue, error=type(error).__name__)
            return False
        return True

    def _publish(self, task: str, queue: str) -> None:
        self._app.send_task(f"waggle.{task}", queue=queue, retry=False, ignore_result=True)

    def _connect(self) -> None:
        with self._app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, timeout=self._deadline)
