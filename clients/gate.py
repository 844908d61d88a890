"""What a client asks before each of its requests, and tells about each of their answers.

Who may ask when is not the client's affair: it depends on what others, in other threads and on
other machines, have asked and heard. A `Gate` knows. One way through it is one HTTP request, a
retry and each page of a list included.
"""

from typing import Protocol

from clients.errors import Transient
from clients.limits import Limits


class ClosedError(Exception):
    """A gate lets nothing through for now; whoever made the gate knows until when."""


class Passage(Protocol):
    """One request that may leave now. Exactly one of these is called when it is over."""

    def answered(self, limits: Limits) -> None:
        """There was an answer that asks for no pause, good or bad; what it says about limits."""

    def refused(self, error: Transient, limits: Limits) -> Exception:
        """The answer asks for a pause; returns what the caller is told (`error`, or more)."""

    def lost(self) -> None:
        """There was no answer."""


class Gate(Protocol):
    """The way out to one account at one vendor, shared by everybody who uses that account.

    `secrets` are those of the account: no error tells them, whichever request they were sent with.
    """

    secrets: tuple[str, ...]

    def enter(self, method: str, path: str, *, within: float) -> Passage | Exception:
        """Wait for the turn of one request, for at most `within` seconds.

        `path` is relative to the base URL. Returned, not raised, so that no frame with secrets is
        in a traceback: an exception that says when to come back.
        """


class _Through:
    """Nobody counts."""

    def answered(self, limits: Limits) -> None:
        """Nothing to remember."""

    def refused(self, error: Transient, limits: Limits) -> Exception:  # noqa: ARG002
        """The error as it is."""
        return error

    def lost(self) -> None:
        """Nothing to remember."""


class Open:
    """A gate that stands open: for scripts, and where there is only one request to make."""

    secrets: tuple[str, ...] = ()

    def enter(self, method: str, path: str, *, within: float) -> Passage:  # noqa: ARG002
        """Go."""
        return _Through()
