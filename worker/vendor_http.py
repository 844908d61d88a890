"""The HTTP client of a process: what it asks is told, and of that no more than may be known.

Host, method and status of each request to a vendor, how long it took until the answer began, and
the vendor's own id of the request, to talk to them about it. Paths and queries are left out: they
may hold a secret.
"""

import logging
import re
import time
from http.cookiejar import CookieJar
from typing import Any

import httpx
import structlog

from tasks.tracing import Tracer

log = structlog.get_logger(__name__)

REQUEST_ID = "x-request-id"
AN_ID = re.compile(r"[\w.:=+/-]{1,100}")
SHORTEST = 6  # characters that might be a secret


class NoJar(CookieJar):
    """Keeps nothing: a cookie is of one person's request, and nobody sends it again."""

    def extract_cookies(self, response: object, request: object) -> None:
        """Not even looked at."""


class VendorClient(httpx.Client):
    """httpx, with a line for each request at level debug, and a span where there are traces."""

    def __init__(self, *, tracer: Tracer, **options: Any) -> None:
        super().__init__(cookies=NoJar(), **options)
        self._tracer = tracer

    def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """See httpx."""
        method, host = request.method, request.url.host
        began = time.monotonic()
        with self._tracer.span(
            method, **{"http.request.method": method, "server.address": host}
        ) as span:
            try:
                answer = super().send(request, **options)
            except httpx.HTTPError as error:
                log.debug("vendor.silent", method=method, host=host, error=type(error).__name__)
                raise
            span.set(**{"http.response.status_code": answer.status_code})
        if log.is_enabled_for(logging.DEBUG):
            log.debug(
                "vendor.answered",
                method=method,
                host=host,
                status=answer.status_code,
                seconds=round(time.monotonic() - began, 3),
                vendor_request_id=_id_of(answer),
            )
        return answer


def _id_of(answer: httpx.Response) -> str | None:
    """The vendor's id of a request; None where it has none, or repeats something that we sent."""
    found = answer.headers.get(REQUEST_ID, "")
    if not AN_ID.fullmatch(found):
        return None
    request = answer.request
    target: bytes = request.extensions.get("target", request.url.raw_path)
    sent = [*request.headers.values(), target.decode("ascii", "replace")]
    pieces = [piece for text in sent for piece in re.split(r"[\s=&?,;]+", text)]
    repeats = any(len(piece) >= SHORTEST and (piece in found or found in piece) for piece in pieces)
    return None if repeats else found
