"""What a follower needs of the loop that it lives in."""

import random
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

T = TypeVar("T")


class Desk(Protocol):
    """Time, chance and threads; `tasks.live.loop.Desk` is the one there is."""

    def now(self) -> float:
        """UTC seconds."""

    @property
    def rng(self) -> random.Random:
        """Where random numbers come from."""

    async def sleep(self, seconds: float) -> None:
        """Let so much time go by."""

    def blocking(self, call: Callable[[], T]) -> Awaitable[T]:
        """Have a thread make this call."""
