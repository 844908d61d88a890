"""How every process logs: static event names, ids bound by context, and never a secret.

Our own events (structlog) and those of libraries (logging) leave through one handler. It cleans
the finished line, so that tracebacks and texts of others are cleaned as well. Ids are bound with
`structlog.contextvars`: `request_id` and `event_id` in receivers; in workers `event_ids` and
`request_ids` of all who wait for the work, `source_id`, `feed`. `event` itself names what happened,
`process` which process of ours it was.
"""

import functools
import logging
import sys
import threading
from types import TracebackType
from typing import Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from worker import redaction
from worker.redaction import hide

__all__ = ["configure", "hide"]

# Chatty libraries that log addresses, queries or arguments.
LIBRARIES = ("celery", "kombu", "amqp")
LOST = (*LIBRARIES, "redis")  # whose errors say that the broker is away
QUIET = ("httpx", "httpcore", "celery", "kombu", "amqp", "alembic", "uvicorn.access", "asyncio")


class ConsoleFormatter(structlog.stdlib.ProcessorFormatter):
    """Renders a record, then takes out whatever looks like a secret or is known to be one.

    An event is one line. What follows it of a traceback is marked, so that no text of others, with
    a line break in it, passes for an event.
    """

    def format(self, record: logging.LogRecord) -> str:
        """One record as text."""
        event, *trace = redaction.text(super().format(record)).splitlines()
        return "\n".join([event, *(f"  | {_visible(line)}" for line in trace)])


class JsonFormatter(structlog.stdlib.ProcessorFormatter):
    """As above, but patterns are looked for in the values only: the line has to stay JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """One record as a JSON object."""
        return redaction.exact(super().format(record))


def configure(
    format: Literal["console", "json"] = "console",  # noqa: A002 -- named as its setting
    level: str = "info",
    *,
    process: str = "command",
    stream: TextIO | None = None,
    cache: bool = True,
) -> None:
    """Set logging up for this process, to stderr; may be called again.

    `level`: debug, info, warning or error. Libraries that log addresses are heard from `warning`.
    `process`: which of ours this is; it stands in each line. `cache`: for processes that stay; a
    logger then keeps the set-up that it was first used with.
    """
    stream = stream or sys.stderr
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        functools.partial(_of_process, process),
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=cache,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        (JsonFormatter if format == "json" else ConsoleFormatter)(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _in_one_line,
                *_renderer(format, colors=stream.isatty()),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    for name in ("uvicorn", "uvicorn.error"):  # they bring handlers that do not clean
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    logging.captureWarnings(capture=True)
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_uncaught_in_thread


def _renderer(format: str, *, colors: bool) -> list[Processor]:  # noqa: A002 -- named as its setting
    if format == "json":
        return [
            structlog.processors.format_exc_info,
            _clean_values,
            structlog.processors.JSONRenderer(),
        ]
    # Plain tracebacks: boxes would break a secret over two lines, where no pattern finds it.
    plain = structlog.dev.plain_traceback
    return [
        _clean_values,
        _visible_values,
        structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=plain),
    ]


def _in_one_line(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """A library that lost its broker says so without a traceback: nothing in it is to be mended."""
    trouble = event.get("exc_info")
    if not isinstance(trouble, tuple) or trouble[0] is None:
        return event
    homes = {kind.__module__.partition(".")[0] for kind in trouble[0].__mro__}
    lost = issubclass(trouble[0], OSError) or not homes.isdisjoint(LOST)
    if lost and str(event.get("logger")).partition(".")[0] in LIBRARIES:
        text = str(event["event"]).partition("\n")[0]
        event = {**event, "event": text, "error": trouble[0].__name__}
        del event["exc_info"]
    return event


def _clean_values(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    # Colours stand between a name and its value: clean before they come in.
    return {
        key: found if key == "exc_info" else redaction.value(found, key)
        for key, found in event.items()
    }


def _visible_values(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    # JSON escapes by itself. Here a value could end the line, or give the terminal an order.
    return {
        _visible(key): _visible(found) if isinstance(found, str) else found
        for key, found in event.items()
    }


def _visible(text: str) -> str:
    """The text in one line, with whatever can't be seen spelled out."""
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )


def _of_process(process: str, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    event.setdefault("process", process)
    return event


def _log_uncaught(
    kind: type[BaseException], exc: BaseException, trace: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, exc, trace)
        return
    structlog.get_logger(__name__).error("process.crashed", exc_info=(kind, exc, trace))


def _log_uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is None:
        return
    name = args.thread.name if args.thread else None
    structlog.get_logger(__name__).error(
        "thread.crashed", thread=name, exc_info=(args.exc_type, args.exc_value, args.exc_traceback)
    )
