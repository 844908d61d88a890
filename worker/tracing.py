"""Traces by OpenTelemetry, where its extra is installed and OTEL_EXPORTER_OTLP_ENDPOINT is set.

The only module that knows the library, and it is imported only then. One callback is one trace over
receiver and workers, and nothing has to be handed on for that: the id of an event is 128 bits, and
so is that of a trace. Whoever works for an event knows its trace.

What goes in is named here and in `tasks`: ids of ours, counts, states, the host and the status of a
request. No path, query, header, statement or text of anybody else: they may hold secrets.
"""

import contextlib
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import structlog

from db import inbox
from tasks.tracing import NoTracer, Tracer
from webhooks.tracing import Answered
from worker.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.trace import Span as Recorded

log = structlog.get_logger(__name__)

SERVICE = "waggle"
FLUSH_MS = 1000
MOST_JOINED = 20  # further callbacks that one sync answers
LOW = (1 << 64) - 1


def start(settings: Settings, process: str) -> "Tracer | Tracing":
    """The tracer of this process; one that does nothing unless it is installed and wanted."""
    endpoint = settings.traces_endpoint
    if endpoint is None:
        return NoTracer()
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 -- see above
            OTLPSpanExporter,
        )
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 -- see above
        from opentelemetry.util.re import parse_env_headers  # noqa: PLC0415 -- see above
    except ImportError:
        log.warning(
            "traces.not_installed",
            remedy="OTEL_EXPORTER_OTLP_ENDPOINT is set: install waggle-server[otel], or unset it",
        )
        return NoTracer()
    exporter = OTLPSpanExporter(
        endpoint=f"{endpoint.rstrip('/')}/v1/traces",
        headers=parse_env_headers(settings.traces_headers or "", liberal=True),
    )
    return Tracing(BatchSpanProcessor(exporter), process)


class Tracing:
    """Spans of this process. See `tasks.tracing.Tracer` and `webhooks.tracing.Told`."""

    def __init__(self, processor: "SpanProcessor", process: str) -> None:
        from opentelemetry import trace  # noqa: PLC0415 -- see the module
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 -- see the module
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 -- see the module
        from opentelemetry.sdk.trace.id_generator import (  # noqa: PLC0415 -- see the module
            RandomIdGenerator,
        )

        class Ids(RandomIdGenerator):
            """Those of the event whose trace is begun, else random ones."""

            def generate_trace_id(self) -> int:
                given = _BEGUN.get()
                return super().generate_trace_id() if given is None else given

            def generate_span_id(self) -> int:
                given = _BEGUN.get()
                return super().generate_span_id() if given is None else _root(given)

        self._api: Any = trace
        resource = Resource.create({"service.name": SERVICE, "waggle.process": process})
        self._provider = TracerProvider(resource=resource, id_generator=Ids())
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("waggle")

    @contextlib.contextmanager
    def span(
        self, name: str, *, events: Sequence[str] = (), **attributes: str | float
    ) -> Iterator["_Telling"]:
        """See `tasks.tracing.Tracer`. Others that are answered get a mark in their own traces."""
        traces = [trace for trace in map(_trace_of, events[: MOST_JOINED + 1]) if trace is not None]
        context = self._context(traces[0]) if traces else None
        with self._tracer.start_as_current_span(
            name,
            context=context,
            attributes=attributes,
            record_exception=False,  # its text may hold anything
            set_status_on_exception=False,
        ) as span:
            for other in traces[1:]:
                link = self._api.Link(span.get_span_context())
                self._tracer.start_span(
                    f"{name} (joined)", context=self._context(other), links=[link]
                ).end()
            try:
                yield _Telling(span)
            except BaseException as error:
                span.set_status(self._api.StatusCode.ERROR, type(error).__name__)
                raise

    def __call__(self, answered: Answered, /) -> None:
        """The trace of a callback, which begins with it."""
        number = _trace_of(answered.event_id)
        if number is None:
            return
        token = _BEGUN.set(number)
        try:
            root = self._tracer.start_span(
                "callback",
                context=self._api.set_span_in_context(self._api.INVALID_SPAN),
                kind=self._api.SpanKind.SERVER,
                start_time=answered.came_at,
                attributes={
                    "waggle.event_id": answered.event_id,
                    "waggle.request_id": answered.request_id,
                    "waggle.kind": answered.kind,
                    "waggle.outcome": answered.outcome,
                },
            )
        finally:
            _BEGUN.reset(token)
        within = self._api.set_span_in_context(root)
        for name, began, ended in (
            ("store", answered.came_at, answered.stored_at),
            ("hold", answered.stored_at, answered.answered_at),
        ):
            self._tracer.start_span(name, context=within, start_time=began).end(end_time=ended)
        root.end(end_time=answered.answered_at)

    def close(self) -> None:
        """See `tasks.tracing.Tracer`. What can't be sent by then is lost."""
        self._provider.force_flush(FLUSH_MS)

    def _context(self, number: int) -> Any:  # noqa: ANN401 -- a Context, of a library that may be missing
        """Being within the trace of an event, as if its callback had called us."""
        decided = self._provider.sampler.should_sample(None, number, "callback")
        sampled: bool = decided.decision.is_sampled()  # type: ignore[no-untyped-call] # not typed there
        flags = self._api.TraceFlags(self._api.TraceFlags.SAMPLED if sampled else 0)
        parent = self._api.SpanContext(number, _root(number), is_remote=True, trace_flags=flags)
        return self._api.set_span_in_context(self._api.NonRecordingSpan(parent))


class _Telling:
    """See `tasks.tracing.Span`."""

    def __init__(self, span: "Recorded") -> None:
        self._span = span

    def set(self, **attributes: str | float) -> None:
        """See `tasks.tracing.Span`."""
        self._span.set_attributes({_dotted(name): value for name, value in attributes.items()})


_BEGUN: ContextVar[int | None] = ContextVar("begun", default=None)


def _dotted(name: str) -> str:
    return name if "." in name else f"waggle.{name}"


def _trace_of(event_id: str) -> int | None:
    """The number of the trace of an event; None of an id that is none of ours."""
    try:
        return inbox.number_of(event_id) or None
    except ValueError:
        return None


def _root(number: int) -> int:
    """The number of the span that such a trace begins with."""
    return number & LOW or 1
