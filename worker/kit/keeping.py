"""The promise about secrets: they are seen nowhere, whatever a vendor repeats."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import chain

import structlog

from worker import logs
from worker.kit import troubles
from worker.kit.promises import promise
from worker.kit.reading_only import spelled
from worker.kit.stage import Stage, Told
from worker.kit.vendor import Trouble

STATUSES = (200, 400, 401, 403, 500)
SHORTEST = 8  # shorter secrets stand in many texts by chance


@promise("send secrets as `credentials=` of ApiClient, which keeps them out of all that is told")
def secrets_are_kept(stage: Stage) -> Iterator[str]:
    """No secret is in a URL, an error, its details, a repr or a log record."""
    for name in stage.secret_names():
        plain = stage.given().get(name)
        if isinstance(plain, str) and 0 < len(plain) < SHORTEST:
            yield f"the trial's secret {name} is shorter than {SHORTEST} characters"
    for trouble in (None, *(troubles.repeating(status) for status in STATUSES)):
        for step in range(stage.steps(stage.trial.feeds[0]) if trouble else 1):
            stage.vendor.be(trouble, at=step)
            yield from _seen(stage, trouble)


def _seen(stage: Stage, trouble: Trouble | None) -> Iterator[str]:
    requests = [stage.request(feed, key=n) for n, feed in enumerate(stage.trial.feeds)]
    with stage.scene() as scene:
        with _listening() as lines:
            results = [scene.read(*requests), scene.look()]
        texts = [
            ("the URL of a request", "\n".join(scene.wire.urls)),
            ("the repr of the settings", f"{scene.settings!r} {scene.settings}"),
            ("a log record", "\n".join(lines)),
        ]
        if all(result.raised is None for result in results):
            texts.append(("the repr of the connection", repr(scene.connection())))
        for error in chain.from_iterable(_errors(result) for result in results):
            texts += _of(error)
        when = "" if trouble is None else f" ({trouble.name})"
        for what in dict.fromkeys(what for what, text in texts if spelled(scene, text)):
            yield f"a secret is in {what}{when}"


def _errors(result: Told) -> Iterator[BaseException]:
    if result.raised is not None:
        yield result.raised
    elif isinstance(result.value, Mapping):
        for answer in result.value.values():
            if isinstance(answer, BaseException):
                yield answer


def _of(error: BaseException) -> Iterator[tuple[str, str]]:
    named = type(error).__name__
    yield f"the text of {named}", f"{error} {error!r}"
    for attribute in ("message", "details", "request_id", "reason"):
        yield f"{attribute} of {named}", f"{getattr(error, attribute, '')!r}"
    below = error.__cause__ or error.__context__
    if below is not None:
        yield f"the {type(below).__name__} below {named}", f"{below} {below!r}"


class _Lines(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.getMessage()} {record.__dict__}")


@contextmanager
def _listening() -> Iterator[list[str]]:
    handler, root = _Lines(), logging.getLogger()
    # As in a worker that is asked to say all it can: these are heard from `warning` on.
    levels = {root: logging.DEBUG} | {
        logging.getLogger(name): logging.WARNING for name in logs.QUIET
    }
    before = {logger: logger.level for logger in levels}
    handlers, root.handlers[:] = list(root.handlers), [handler]  # or all of it would be printed
    try:
        for logger, level in levels.items():
            logger.setLevel(level)
        with structlog.testing.capture_logs() as entries:
            yield handler.lines
            handler.lines += [str(entry) for entry in entries]
    finally:
        root.handlers[:] = handlers
        for logger, level in before.items():
            logger.setLevel(level)


PROMISES = (secrets_are_kept,)
