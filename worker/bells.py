"""Ringing: one bounded attempt to publish, and never a wait behind a broker that hangs.

A client library may block for tens of seconds on a frozen broker whatever its settings say. So one
thread publishes over a connection of its own, callers wait for it at most `deadline` seconds, and
while it is stuck, and for a pause after a wait that was in vain, every further bell is given up at
once: the ledger has the work, and the sweep rings again. After a failure the connection is thrown
away, so nothing waits for a dead one.
"""

import concurrent.futures
import contextlib
import threading
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from celery import Celery
from celery.app.amqp import task_message
from kombu.exceptions import KombuError

from worker import broker

log = structlog.get_logger(__name__)

DEADLINE_SECONDS = 1.0


class Bells:
    """The doorbell of one process."""

    def __init__(
        self,
        app: Celery,
        *,
        deadline: float = DEADLINE_SECONDS,
        pause: float = DEADLINE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = app
        self._deadline = deadline
        self._pause = pause
        self._clock = clock
        self._quiet_until = clock()
        self._thread = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="bells")
        self._lock = threading.Lock()
        self._connection = self._new_connection()  # opens nothing yet
        self._producer: Any = None
        self._declared: set[str] = set()  # queues, on the connection of the producer
        self._messages: dict[str, task_message] = {}
        self._heard = True  # the last one, as far as is known
        self._errors: tuple[type[Exception], ...] = (
            OSError,
            KombuError,
            *self._connection.connection_errors,
            *self._connection.channel_errors,
        )
        self._stuck: concurrent.futures.Future[None] | None = None

    def ring(self, task: str, queue: str, *, expires: float | None = None) -> bool:
        """Ring one bell; False when the broker was not reached within the deadline.

        `expires`: seconds after which nobody needs to hear it.
        """
        return self._within_deadline(
            lambda: self._publish(task, queue, expires), task=task, queue=queue
        )

    def reachable(self) -> bool:
        """Does the broker answer?"""
        return self._within_deadline(self._probe, task="probe", queue="")

    def round_trip(self) -> bool:
        """Does the broker hand on what it is given? In a queue of its own that is gone after it."""
        return self._within_deadline(self._there_and_back, task="round trip", queue="")

    def close(self) -> None:
        """Stop ringing; a publisher that hangs is left behind."""
        with contextlib.suppress(RuntimeError, concurrent.futures.TimeoutError):  # closed twice
            self._thread.submit(self._hang_up).result(self._deadline)
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _within_deadline(self, act: Callable[[], None], *, task: str, queue: str) -> bool:
        if self._given_up(self._clock()):
            return False
        began = time.monotonic()
        try:
            future = self._thread.submit(act)
        except RuntimeError:  # the process is going down
            return False
        try:
            future.result(self._deadline)
        except concurrent.futures.TimeoutError:
            with self._lock:
                self._stuck = future
                self._quiet_until = self._clock() + self._pause
            self._note(heard=False, what="bell.stuck", task=task, queue=queue)
            return False
        except self._errors as error:
            # The client library has a deadline too, and may be the first to lose its patience.
            if time.monotonic() - began >= self._deadline / 2:
                self._quiet_until = self._clock() + self._pause
            self._note(
                heard=False, what="bell.failed", task=task, queue=queue, error=type(error).__name__
            )
            return False
        self._note(heard=True, what="bell.heard_again", task=task, queue=queue)
        return True

    def _note(self, *, heard: bool, what: str, **about: str) -> None:
        """Say once that bells are not heard, and once that they are again."""
        if heard is not self._heard:
            (log.info if heard else log.warning)(what, **about)
        self._heard = heard

    def _given_up(self, now: float) -> bool:
        """Is a bell stuck, or was one just now that did not get through in the end?"""
        with self._lock:
            if self._stuck is not None:
                if not self._stuck.done():
                    return True
                if self._stuck.cancelled() or self._stuck.exception() is None:
                    self._quiet_until = now  # late, but heard
                self._stuck = None
            return now < self._quiet_until

    # What follows runs in the thread: the connection is its own.

    def _there_and_back(self) -> None:
        name = f"doctor-{uuid.uuid4().hex}"
        with self._new_connection() as connection:
            queue = connection.SimpleQueue(
                name,
                no_ack=True,
                queue_opts={"durable": False, "exclusive": True, "auto_delete": True},
                exchange_opts={"durable": False, "auto_delete": True},
            )
            try:
                queue.put({})
                queue.get(timeout=self._deadline)
            finally:
                queue.consumer.cancel()
                queue.queue.delete()
                queue.close()

    def _publish(self, task: str, queue: str, expires: float | None) -> None:
        old = self._producer is not None
        try:
            self._send(task, queue, expires)
        except self._errors:
            self._hang_up()
            if not old:
                raise
            # The broker may have been away and come back since the last bell.
            try:
                self._send(task, queue, expires)
            except self._errors:
                self._hang_up()
                raise

    def _send(self, task: str, queue: str, expires: float | None) -> None:
        if self._producer is None:
            _connect(self._connection, self._deadline)
            self._producer = self._app.amqp.Producer(
                self._connection.default_channel, auto_declare=False
            )
            self._declared.clear()
        name, place = f"waggle.{task}", broker.name_at(self._app.conf.broker_url, queue)
        self._app.amqp.send_task_message(
            self._producer,
            name,
            self._message(name, expires),
            queue=place,
            expiration=expires,
            # Whatever is declared already is looked up at length.
            declare=[] if place in self._declared else None,
            retry=False,
            timeout=self._deadline,
            confirm_timeout=self._deadline,
        )
        self._declared.add(place)

    def _message(self, name: str, expires: float | None) -> task_message:
        """What `send_task` would send. All bells of a task are alike but for their ids."""
        new = uuid.uuid4().hex
        if name not in self._messages:
            self._messages[name] = self._app.amqp.create_task_message(new, name, ignore_result=True)
        headers, properties, body, _ = self._messages[name]
        ends_at = None
        if expires is not None:
            ends_at = (datetime.now(UTC) + timedelta(seconds=expires)).isoformat()
        return task_message(
            {**headers, "id": new, "root_id": new, "expires": ends_at},
            {**properties, "correlation_id": new},
            body,
            None,
        )

    def _probe(self) -> None:
        with self._new_connection() as connection:
            _connect(connection, self._deadline)

    def _hang_up(self) -> None:
        """Forget the connection without a word: a broker that hangs would not answer a goodbye."""
        hung, self._connection, self._producer = self._connection, self._new_connection(), None
        hung.collect(self._deadline)

    def _new_connection(self) -> Any:  # noqa: ANN401 -- kombu ships no types
        return self._app.connection_for_write(
            connect_timeout=self._deadline,
            transport_options=broker.publishing(self._app.conf.broker_url, self._deadline),
        )


def _connect(connection: Any, deadline: float) -> None:  # noqa: ANN401 -- kombu ships no types
    connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0, timeout=deadline)
