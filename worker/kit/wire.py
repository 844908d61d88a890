"""The HTTP client that a provider is given: it notes what leaves, and lets time fly where wanted.

Whoever never gives up can't be waited for. So in a hurry every second of a time limit counts for
many: what has a limit ends soon, and what has none is still there.
"""

import math
import ssl
import time
from typing import Protocol, cast

import httpx

from clients.deadline import Deadline

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # reading the CAs takes longer than most promises


class _Timeouts(Protocol):
    def get(self, phase: str, default: object = None) -> object: ...


class Wire(httpx.BaseTransport):
    """Sends to real sockets. `urls` are those that httpx knows, logs, and keeps in exceptions."""

    def __init__(self, *, hurry: float = 1.0) -> None:
        self._inner = httpx.HTTPTransport(
            verify=NO_TLS, trust_env=False, limits=httpx.Limits(max_connections=32)
        )
        self._hurry = hurry
        self.urls: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request."""
        self.urls.append(str(request.url))
        if self._hurry > 1.0:
            given = cast("_Timeouts", request.extensions.get("timeout", {}))
            request.extensions["timeout"] = _Hurried(given, self._hurry)
        return self._inner.handle_request(request)

    def close(self) -> None:
        """Close every connection."""
        self._inner.close()


class _Hurried:
    """Time limits of which a second counts for `hurry`; see `clients.deadline`."""

    def __init__(self, given: _Timeouts, hurry: float) -> None:
        self._given = given
        self._hurry = hurry
        self._began = time.monotonic()

    def get(self, phase: str, default: object = None) -> object:
        found = self._given.get(phase, default)
        if isinstance(found, int | float):
            return found / self._hurry
        return _Sooner(found, self._began, self._hurry) if isinstance(found, Deadline) else found


class _Sooner:
    """What is left of a total deadline, for `socket.settimeout`."""

    def __init__(self, deadline: Deadline, began: float, hurry: float) -> None:
        self._deadline = deadline
        self._began = began
        self._hurry = hurry

    def __index__(self) -> int:
        extra = (time.monotonic() - self._began) * (self._hurry - 1)
        left = (self._deadline.left() - extra) / self._hurry
        if left <= 0:
            raise TimeoutError
        return math.ceil(left)
