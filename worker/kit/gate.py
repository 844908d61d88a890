"""A gate that counts, shuts after a refusal, and knows what each passage came to."""

import threading
from dataclasses import dataclass, field

from clients.errors import Transient
from clients.gate import ClosedError
from clients.limits import Limits


class Shut(ClosedError):  # noqa: N818 -- reads as a sentence where it is looked for
    """The exception of this gate: it has to come back as it is."""


@dataclass(slots=True)
class CountingGate:
    """See `clients.gate.Gate`. `passes` went through, `refusals` are what they were told."""

    shut: bool = False
    passes: int = 0
    asked: int = 0
    ended: int = 0
    refusals: list[tuple[Transient, Limits]] = field(default_factory=list)
    secrets: tuple[str, ...] = ()
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def enter(self, method: str, path: str, *, within: float) -> "Passage | Shut":  # noqa: ARG002 -- the gate's signature
        """Let it through unless a refusal shut the gate."""
        with self._lock:
            self.asked += 1
            if self.shut:
                return Shut("the gate of the kit is closed")
            self.passes += 1
        return Passage(self)

    def end(self, refusal: tuple[Transient, Limits] | None = None) -> None:
        """One passage is over."""
        with self._lock:
            self.ended += 1
            if refusal is not None:
                self.shut = True
                self.refusals.append(refusal)


class Passage:
    """See `clients.gate.Passage`."""

    def __init__(self, gate: CountingGate) -> None:
        self._gate = gate

    def answered(self, limits: Limits) -> None:  # noqa: ARG002 -- the passage's signature
        """It was no limit."""
        self._gate.end()

    def refused(self, error: Transient, limits: Limits) -> Exception:
        """It was one: from now on the gate is shut."""
        self._gate.end((error, limits))
        return Shut("the gate of the kit was closed by a refusal")

    def lost(self) -> None:
        """There was no answer."""
        self._gate.end()
