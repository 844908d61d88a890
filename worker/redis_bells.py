"""Bells in Redis: kombu's transport, with a bound, and with a worker that outlives its connection.

When a connection is lost kombu would put bells back that were not acknowledged, and acknowledge
others on the channel that is closed by then. Both open a new connection to nowhere, and fail in a
way that ends the worker. Nothing is lost by leaving them: a bell says only that there is work, and
the next sweep says so again.
"""

from typing import Any

from kombu.transport import redis

from worker.broker import MOST_BELLS

# tests/services/test_redis_bells.py finds out if kombu changes how it names its lists.


class Channel(redis.Channel):  # type: ignore[misc] # kombu ships no types
    """kombu's channel, which leaves what it held to the sweep, and whose lists have a bound."""

    do_restore = False

    def _put(self, queue: str, message: Any, **more: Any) -> None:  # noqa: ANN401 -- kombu's message
        """A list of bells that nobody takes keeps the newest: a bell more says nothing new."""
        super()._put(queue, message, **more)
        with self.conn_or_acquire() as client:
            client.ltrim(f"{self.global_keyprefix}{queue}", 0, MOST_BELLS - 1)

    def basic_ack(self, delivery_tag: str, multiple: bool = False) -> None:  # noqa: FBT001, FBT002 -- kombu's
        """Forget a bell; one of a connection that is gone is forgotten with it."""
        if not self.closed:
            super().basic_ack(delivery_tag, multiple=multiple)


class Transport(redis.Transport):  # type: ignore[misc] # kombu ships no types
    """kombu's Redis transport with the channel above."""

    Channel = Channel
