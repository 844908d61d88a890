"""The receiver's part of a trace: a callback, from its first byte to its answer."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A callback that was stored and answered. Times are nanoseconds since 1970."""

    event_id: str
    request_id: str
    kind: str
    outcome: str
    came_at: int
    stored_at: int
    answered_at: int


class Told(Protocol):
    """Whoever wants to know of each callback."""

    def __call__(self, answered: Answered, /) -> None:
        """It was answered. Never raises, never waits."""


def nobody(_answered: Answered, /) -> None:
    """No traces."""
