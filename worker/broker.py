"""How Celery reaches the broker. A message is a bell, so any kombu transport will do.

The embedded default is kombu's filesystem transport with three changes: a bell is written under
another name and renamed, so that nobody reads half of it, and it is fetched within its own folder,
so that a bell taken by a worker that dies lies there to be purged and not in /tmp. And a queue that
nobody listens to is full at some point: a bell more would say nothing new.
"""

import os
import uuid
from collections.abc import Collection
from functools import cached_property
from pathlib import Path
from queue import Empty
from time import monotonic, monotonic_ns, sleep
from typing import Any

import structlog
from amqp.exceptions import PreconditionFailed
from celery import Celery
from kombu import Exchange, Queue, transport
from kombu.exceptions import KombuError
from kombu.transport import TRANSPORT_ALIASES, filesystem, virtual
from kombu.utils.encoding import bytes_to_str, str_to_bytes
from kombu.utils.json import dumps, loads

log = structlog.get_logger(__name__)

POLL_SECONDS = 0.02
# The time of a folder may be as coarse as a tick of the kernel's, and on some disks as a second: it
# is believed after some polls that found no other, and never for long.
LISTS_AFTER_CHANGE = 10
LIST_EVERY = 25
SOCKET_TIMEOUT_SECONDS = 1.0
TRANSPORT = "worker.broker:Transport"
FULL = 24  # bells in one queue: more than the slots of a worker, few enough to list quickly
REDIS_TRANSPORT = "worker.redis_bells:Transport"  # by name: others need no Redis client
KEY_PREFIX = "waggle:"
LANES = ("urgent", "default", "bulk", "progress")
MOST_BELLS = 2000  # in one queue of a server: more than the slots of a hundred workers
DELIVERIES = 3  # of one bell, in vain: what kills workers is in the ledger, which knows better
HEALTH_SECONDS = 10
# A bell is unacknowledged while its task runs: for seconds, and at most as long as a lease is
# renewed for a thread that hangs. Sooner it would be heard twice, much later it says nothing.
VISIBLE_AGAIN_SECONDS = 300


class QueueError(Exception):
    """A queue at the broker is not what it has to be: what to do about it."""


class Channel(filesystem.Channel):  # type: ignore[misc] # kombu ships no types
    """Queues as files of one folder, written and taken by rename."""

    # Bells go straight to their queue. With fanout, kombu would keep its bindings in a file that
    # another process may read while it is still empty.
    supports_fanout = False
    get_table = virtual.Channel.get_table

    def _put(self, queue: str, payload: object, **_: object) -> None:
        if self._size(queue) >= FULL:
            return
        folder = Path(self.data_folder_out)
        name = f"{monotonic_ns() // 1_000_000:016d}_{uuid.uuid4().hex}.{queue}.msg"
        draft = folder / f".{name}"
        draft.write_bytes(str_to_bytes(dumps(payload)))
        draft.rename(folder / name)

    def _get(self, queue: str) -> object:
        names = self._names(queue)
        if not names:
            raise Empty
        folder = Path(self.data_folder_in)
        for name in sorted(names):
            taken = folder / f".taken.{name}"
            try:
                (folder / name).rename(taken)
            except FileNotFoundError:
                continue  # another worker was faster
            payload = taken.read_bytes()
            taken.unlink()
            try:
                return loads(bytes_to_str(payload))
            except ValueError:
                log.warning("bell.damaged", queue=queue)  # a power cut; the sweep rings again
        raise Empty

    @cached_property
    def folder(self) -> str:
        """Where the bells lie."""
        return str(self.data_folder_in)

    @property
    def listens_to(self) -> Collection[str]:
        """The queues that are consumed on this channel."""
        queues: list[str] = self._active_queues
        return queues

    def _size(self, queue: str) -> int:
        return len(self._names(queue))

    def _names(self, queue: str) -> list[str]:
        ending = f"{queue}.msg"
        # Often: no Path objects, and kombu's own property is looked at once.
        names = os.listdir(self.folder)  # noqa: PTH208 -- see above
        return [name for name in names if name.partition(".")[2] == ending]


class Transport(filesystem.Transport):  # type: ignore[misc] # kombu ships no types
    """kombu's filesystem transport with the channel above, and a poll that costs next to nothing.

    kombu asks each queue of each channel, fifty times a second, and an idle worker does little
    else. Here the folder is asked for no more than its time; if that is another one, the folder is
    listed once for all queues; and only if there is a bell for us, kombu looks for it.
    """

    Channel = Channel

    def __init__(self, client: Any, **more: Any) -> None:  # noqa: ANN401 -- kombu's connection
        super().__init__(client, **more)
        self._changed_at = 0  # the time of the folder
        self._polls = 0  # that found no other

    def drain_events(self, connection: Any, timeout: float | None = None) -> None:  # noqa: ANN401 -- kombu's
        """Deliver one bell; raises TimeoutError after so many seconds without one."""
        ends_at = None if timeout is None else monotonic() + timeout
        while self._is_quiet():
            if ends_at is not None and monotonic() >= ends_at:
                raise TimeoutError
            sleep(self.polling_interval)
        left = None if ends_at is None else max(0.0, ends_at - monotonic())
        super().drain_events(connection, timeout=left)

    def _is_quiet(self) -> bool:
        """Is there surely no bell for any of our queues?"""
        listening = [channel for channel in self.channels if channel.listens_to]
        if not listening:
            return False
        folder = listening[0].folder
        changed_at = os.stat(folder).st_mtime_ns  # noqa: PTH116 -- no Path objects, as above
        self._polls = self._polls + 1 if changed_at == self._changed_at else 0
        self._changed_at = changed_at
        if self._polls > LISTS_AFTER_CHANGE and self._polls % LIST_EVERY:
            return True
        ours = {f"{queue}.msg" for channel in listening for queue in channel.listens_to}
        names = os.listdir(folder)  # noqa: PTH208 -- as above
        if any(name.partition(".")[2] in ours for name in names):
            self._polls = 0  # whoever has no hands free leaves it there
            return False
        return True


def configuration(url: str, folder: Path) -> dict[str, Any]:
    """Celery settings for a broker URL; `folder` is where the embedded queues live."""
    if url.startswith("filesystem:"):
        queues = folder / "bells"
        queues.mkdir(parents=True, exist_ok=True, mode=0o700)
        return {
            "broker_url": "filesystem://localhost",  # a host that nobody asks keeps kombu quiet
            "broker_transport": TRANSPORT,
            "broker_transport_options": {
                "data_folder_in": str(queues),
                "data_folder_out": str(queues),
                "polling_interval": POLL_SECONDS,
            },
        }
    if url.startswith(("redis:", "rediss:")):
        # By its alias: named in the settings it would stand in the address that people are shown.
        for alias in ("redis", "rediss"):
            TRANSPORT_ALIASES[alias] = REDIS_TRANSPORT
            transport._transport_cache.pop(alias, None)  # noqa: SLF001 -- kombu looks once
        return {
            "broker_url": url,
            "broker_transport_options": {
                "socket_timeout": SOCKET_TIMEOUT_SECONDS * 5,  # above the transport's own polling
                "socket_connect_timeout": SOCKET_TIMEOUT_SECONDS,
                "socket_keepalive": True,
                "health_check_interval": HEALTH_SECONDS,
                "visibility_timeout": VISIBLE_AGAIN_SECONDS,
                "global_keyprefix": KEY_PREFIX,
            },
        }
    return {
        "broker_url": url,
        "broker_transport_options": {"confirm_publish": True},
        "broker_heartbeat": 10,
        "worker_detect_quorum_queues": True,  # they allow no limit for a whole channel
    }


def queues(url: str) -> list[Queue]:
    """The queues at this broker. Each is called by its lane, whatever its name is there.

    On RabbitMQ they are quorum queues, under names that no queue of another kind ever had: one that
    exists can't change its kind. A bell that killed its worker, or that nobody takes, goes.
    """
    exchange = Exchange("waggle", type="direct")
    if not url.startswith(("amqp:", "amqps:")):
        return [Queue(name, exchange, routing_key=name) for name in LANES]
    return [
        Queue(
            name_at(url, name),
            exchange,
            routing_key=name_at(url, name),
            alias=name,
            queue_arguments={
                "x-queue-type": "quorum",
                "x-delivery-limit": DELIVERIES,
                "x-max-length": MOST_BELLS,
                "x-overflow": "drop-head",
            },
        )
        for name in LANES
    ]


def name_at(url: str, lane: str) -> str:
    """How a lane's queue is named at this broker."""
    return f"waggle.{lane}" if url.startswith(("amqp:", "amqps:")) else lane


def check(app: Celery, lanes: Collection[str]) -> None:
    """Make the queues, and raise `QueueError` where one is there that is not as ours are.

    A broker that does not answer is no reason: Celery waits for it.
    """
    with app.connection_for_write(connect_timeout=SOCKET_TIMEOUT_SECONDS) as connection:
        away = (OSError, KombuError, *connection.recoverable_connection_errors)
        for lane in lanes:
            queue = app.amqp.queues[lane]
            try:
                queue(connection.channel()).declare()
            except PreconditionFailed as error:
                message = (
                    f"the broker at BROKER_URL has a queue {queue.name!r} of another kind: "
                    f"{error.reply_text}. Nothing of value is in it: delete it "
                    f"(`rabbitmqctl delete_queue {queue.name}`), and start again"
                )
                raise QueueError(message) from None
            except away:
                return


def publishing(url: str, deadline: float) -> dict[str, Any]:
    """Transport options of a connection that only publishes: no wait is longer than `deadline`."""
    if url.startswith(("redis:", "rediss:")):
        return {"socket_timeout": deadline, "socket_connect_timeout": deadline}
    if url.startswith(("amqp:", "amqps:")):
        return {"read_timeout": deadline, "write_timeout": deadline}
    return {}
