"""What a piece of work belongs to: ids in each of its lines, and one trace with the callback.

Bound for the block, also for what clients and the ledger do in it: `event_ids` and `request_ids` of
the callbacks that wait for it, and where it is about one feed or source, theirs. Whether there are
traces at all is decided by whoever builds the runtime (`worker.tracing`); here they cost nothing.
"""

import contextlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

import structlog

from db.covers import Asker


class Span(Protocol):
    """A step of work that is being timed."""

    def set(self, **attributes: str | float) -> None:
        """Say more of it: ids, counts, states. Never a text of anybody else's, never a secret."""


class Tracer(Protocol):
    """Where steps are told to."""

    def span(
        self, name: str, *, events: Sequence[str] = (), **attributes: str | float
    ) -> AbstractContextManager[Span]:
        """Time the block. `events`: the callbacks that it answers; it joins the first's trace."""

    def close(self) -> None:
        """The process ends: send what was gathered, and take no longer than a second."""


class _Untold:
    def set(self, **attributes: str | float) -> None:
        """Nobody listens."""


class NoTracer:
    """No traces."""

    _SPAN = contextlib.nullcontext(_Untold())

    def span(
        self, name: str, *, events: Sequence[str] = (), **attributes: str | float
    ) -> AbstractContextManager[Span]:
        """Nothing is timed."""
        del name, events, attributes
        return self._SPAN

    def close(self) -> None:
        """There is nothing to send."""


@contextlib.contextmanager
def work(tracer: Tracer, name: str, askers: Sequence[Asker], **ids: str | int) -> Iterator[Span]:
    """A piece of work with all that it is about: `ids` stand in its lines and in its span."""
    known: dict[str, object] = dict(ids)
    if askers:
        known["event_ids"] = [asker.event_id for asker in askers]
        known["request_ids"] = [asker.request_id for asker in askers if asker.request_id]
    events = [asker.event_id for asker in askers]
    told = {f"waggle.{key}": value for key, value in ids.items()}
    with (
        structlog.contextvars.bound_contextvars(**known),
        tracer.span(name, events=events, **told) as span,
    ):
        yield span
