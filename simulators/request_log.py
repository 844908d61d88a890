"""What a simulator was asked: one record per request, and how many ran at once."""

import re
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

# Enough to assert on; a big upload must not be kept a thousand times.
BODY_KEPT = 16_384
_HEADERS_KEPT = (
    "accept",
    "authorization",
    "content-type",
    "host",
    "if-modified-since",
    "if-none-match",
    "user-agent",
    "x-request-id",
)


@dataclass(slots=True, kw_only=True)
class Request:
    """One request as it came, secrets included; `status` is None while or if nothing was sent."""

    number: int
    method: str
    path: str
    query: str
    headers: dict[str, str]
    started_at: float
    body: bytes = b""
    status: int | None = None
    duration: float | None = None
    fault: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The record as `GET /_sim/requests` shows it."""
        return {
            "number": self.number,
            "method": self.method,
            "path": self.path,
            "query": self.query,
            "headers": self.headers,
            "body": self.body.decode(errors="replace"),
            "status": self.status,
            "fault": self.fault,
            "started_at": self.started_at,
            "duration": self.duration,
        }


@dataclass(slots=True)
class RequestLog:
    """The last 20,000 requests. Safe to read from any thread."""

    clock: Callable[[], float]
    monotonic: Callable[[], float]
    in_flight: int = 0
    most_in_flight: int = 0
    total: int = 0
    _records: deque[Request] = field(default_factory=lambda: deque(maxlen=20_000))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(
        self, *, method: str, path: str, query: str, headers: list[tuple[bytes, bytes]]
    ) -> tuple[Request, float]:
        """Opens a record; the second part is for `end`."""
        kept = {
            name.decode("latin-1"): value.decode("latin-1")
            for name, value in headers
            if name.decode("latin-1") in _HEADERS_KEPT
        }
        with self._lock:
            self.total += 1
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
            record = Request(
                number=self.total,
                method=method,
                path=path,
                query=query,
                headers=kept,
                started_at=self.clock(),
            )
            self._records.append(record)
        return record, self.monotonic()

    def end(self, record: Request, began: float) -> None:
        """Closes a record, however the request ended."""
        record.duration = self.monotonic() - began
        with self._lock:
            self.in_flight -= 1

    def matching(self, *, path: str = "", method: str | None = None) -> list[Request]:
        """Requests in order of arrival whose path contains the regular expression `path`."""
        pattern = re.compile(path)
        with self._lock:
            records = list(self._records)
        return [
            record
            for record in records
            if pattern.search(record.path) and method in (None, record.method)
        ]

    def clear(self) -> None:
        """Forgets all of them and starts counting anew."""
        with self._lock:
            self._records.clear()
            self.total = 0
            self.most_in_flight = self.in_flight
