"""The id of the request that is being answered, for all who store or tell something of it.

It is the variable that log lines take it from. Whoever needs nothing but the id reads it here: to
ask structlog for all that is bound walks through every variable of the context.
"""

from contextvars import ContextVar

import structlog


def _variable() -> ContextVar[str]:
    tokens = structlog.contextvars.bind_contextvars(request_id="")
    structlog.contextvars.reset_contextvars(**tokens)
    return tokens["request_id"].var


_current = _variable()


def begin(request_id: str) -> None:
    """What this task does from now on, and whatever it starts, belongs to this request."""
    _current.set(request_id)


def current() -> str | None:
    """The id of the request that this is done for, None outside of any."""
    return _current.get(None)
