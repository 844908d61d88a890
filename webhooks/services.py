"""What the receiver asks of the rest of Waggle: handed in by the entry point, or by a test."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose token it is, by Beeminder's own word; `timezone` is an IANA name or None."""

    beeminder_id: str
    username: str
    timezone: str | None


class ServiceError(Exception):
    """A service could not answer; `message` is one sentence fit for a page.

    `transient`: the same question may be answered later.
    """

    def __init__(self, code: str, message: str, *, transient: bool) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.transient = transient


class Services(Protocol):
    """Questions that need a vendor; each blocks, with a total deadline of its own."""

    def identify(self, token: str) -> Identity:
        """Whose OAuth token this is; raises `ServiceError`."""
        ...
