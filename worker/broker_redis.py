"""Redis as Celery's broker, with two changes that keep a worker alive when its connection is lost.

kombu would put bells back that were not acknowledged, and acknowledge others on the channel that
is closed by then. Both open a new connection to nowhere, and fail in a way that ends the worker.
Nothing is lost by leaving them: a bell says only that there is work, and the next sweep says so
again.
"""

from kombu.transport import redis


class Channel(redis.Channel):  # type: ignore[misc] # kombu ships no types
    """kombu's channel, which leaves what it held to the sweep."""

    do_restore = False

    def basic_ack(self, delivery_tag: str, multiple: bool = False) -> None:  # noqa: FBT001, FBT002 -- kombu's
        """Forget a bell; one of a connection that is gone is forgotten with it."""
        if not self.closed:
            super().basic_ack(delivery_tag, multiple=multiple)


class Transport(redis.Transport):  # type: ignore[misc] # kombu ships no types
    """kombu's Redis transport with the channel above."""

    Channel = Channel
