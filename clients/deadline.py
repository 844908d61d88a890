"""One time limit for a whole request, down to each read of the socket."""

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar

_ALL: ContextVar["Deadline | None"] = ContextVar("all", default=None)


@contextlib.contextmanager
def all_within(
    seconds: float, *, monotonic: Callable[[], float] = time.monotonic
) -> Iterator[None]:
    """No request of this block goes on for longer than the block may last, whatever its own limit.

    Nothing of the block itself is ended: a request that comes too late fails at once.
    """
    token = _ALL.set(Deadline(seconds, monotonic=monotonic))
    try:
        yield
    finally:
        _ALL.reset(token)


class Deadline:
    """Seconds left of one request; stands in for httpx's timeouts.

    httpx limits each socket operation by itself, so a server that sends one byte a second holds
    a call for ever. httpcore asks `get` for the timeout of a phase and hands what it gets to
    `socket.settimeout` before every single operation. Python converts it there with `__index__`,
    which is our moment to look at the clock. Whole seconds are all that this conversion allows:
    a stalled read may end up to a second late. Name resolution keeps the resolver's own limits.
    It ends with what is around it (`all_within`), if that is sooner.
    """

    __slots__ = ("_end", "_monotonic", "seconds")

    def __init__(self, seconds: float, *, monotonic: Callable[[], float]) -> None:
        around = _ALL.get()
        self.seconds = seconds if around is None else max(0.0, min(seconds, around.left()))
        self._monotonic = monotonic
        self._end = monotonic() + self.seconds

    def left(self) -> float:
        """Seconds that remain; zero or less when the time is over."""
        return self._end - self._monotonic()

    def get(self, phase: str, default: object = None) -> object:  # noqa: ARG002  # a mapping's signature
        """The timeout of a phase: `connect`, `read`, `write` or `pool`."""
        # The pool waits on a condition, which takes plain numbers only.
        return max(self.left(), 0.0) if phase == "pool" else self

    def __index__(self) -> int:
        left = self.left()
        if left <= 0:
            raise TimeoutError
        return math.ceil(left)
