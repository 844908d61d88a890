"""How Celery reaches the broker. A message is a bell, so any kombu transport will do.

The embedded default are files (`worker.file_bells`).
"""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from amqp.exceptions import PreconditionFailed
from celery import Celery
from kombu import Exchange, Queue, transport
from kombu.exceptions import KombuError
from kombu.transport import TRANSPORT_ALIASES

SOCKET_TIMEOUT_SECONDS = 1.0
TRANSPORT = "worker.file_bells:Transport"
POLL_SECONDS = 0.02
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
