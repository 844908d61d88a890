"""kombu's queue of files as the peer gets it: no message is lost half-written.

As it comes, a second consumer may read a file that is still being written, and the message is
gone. The peer gets the repair that Waggle made for itself, without its bound on bells.
"""

from worker import file_bells


class Channel(file_bells.Channel):
    """Written and taken by rename; a queue is as long as it has to be."""

    def _size(self, queue: str) -> int:  # noqa: ARG002
        return 0


class Transport(file_bells.Transport):
    """What `Channel` belongs to."""

    Channel = Channel
