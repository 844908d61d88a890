"""Redis as Celery's broker, with one change: bells that were not acknowledged are not put back.

When a connection is lost kombu closes its channels, and putting messages back is the one step of
that which opens a new connection and fails in a way that ends the worker. Nothing is lost by it: a
bell says only that there is work, and the next sweep says so again.
"""

from kombu.transport import redis


class Channel(redis.Channel):  # type: ignore[misc] # kombu ships no types
    """kombu's channel, which leaves what it held to the sweep."""

    do_restore = False


class Transport(redis.Transport):  # type: ignore[misc] # kombu ships no types
    """kombu's Redis transport with the channel above."""

    Channel = Channel
