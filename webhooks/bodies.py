"""Reading what a caller sent: bounded in bytes and time, and refused with a reason."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from starlette.datastructures import ImmutableMultiDict
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from webhooks import errors
from webhooks.errors import AnswerError

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
READ_SECONDS = 10.0
MOST_FIELDS = 1000
ARRIVED = "waggle.arrived"
"""In the scope of a request, true: its body is there, so that no clock is needed to wait for it."""
LINGER_BYTES = 1024 * 1024
LINGER_SECONDS = 2.0


class TooLargeError(AnswerError):
    """413, said before the body has been read."""

    def __init__(self, limit: int) -> None:
        super().__init__(413, "too_large", f"the body is larger than {limit} bytes")

    def response(self) -> Response:
        """Said while the caller may still be sending."""
        return TooLargeResponse(errors.envelope(self.code, self.message), status_code=self.status)


class TooLargeResponse(JSONResponse):
    """Answers at once, then reads on for a moment before the connection is closed.

    A caller that is still sending when a connection closes may never see the answer.
    """

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer in full, linger, and close."""
        self.headers["Connection"] = "close"
        await send({"type": "http.response.start", "status": 413, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        left = LINGER_BYTES
        try:
            async with asyncio.timeout(LINGER_SECONDS):
                while left > 0:
                    message = await receive()
                    left -= len(message.get("body", b""))
                    if not message.get("more_body", False):
                        break
        except TimeoutError:
            pass
        await send({"type": "http.response.body", "body": b""})


async def read(request: Request, *, limit: int) -> bytes:
    """The whole body; raises `TooLargeError` as soon as it is known to be larger than `limit`."""
    declared = _header(request, b"content-length")
    if declared.isdecimal() and int(declared) > limit:
        raise TooLargeError(limit)
    if request.scope.get(ARRIVED):
        return await _read(request, limit)
    try:
        async with asyncio.timeout(READ_SECONDS):
            return await _read(request, limit)
    except TimeoutError:
        message = f"the body did not arrive within {READ_SECONDS:g} s"
        raise AnswerError(408, "too_slow", message) from None


async def _read(request: Request, limit: int) -> bytes:
    body = bytearray()
    more = True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise malformed("the connection ended before the body did")
        body += message.get("body", b"")
        if len(body) > limit:
            raise TooLargeError(limit)
        more = message.get("more_body", False)
    return bytes(body)


async def fields(request: Request, *, limit: int) -> dict[str, Any]:
    """The fields of a form, a JSON object or, for those that the body lacks, of the query."""
    declared = _content_type(request, allowed=(FORM, JSON))
    body = await read(request, limit=limit)
    query = request.scope["query_string"].decode("latin-1")  # what `request.url` takes longer for
    found = _form(query) if query else {}
    if declared == JSON or (declared is None and body.lstrip()[:1] == b"{"):
        # An empty body is no JSON, but whoever puts everything into the query sends one.
        return found | (parse_object(body) if body else {})
    return found | _form(_text(body))


async def form(request: Request, *, limit: int) -> ImmutableMultiDict[str, str]:
    """The fields of a form that a page sent; one that was ticked several times has several."""
    _content_type(request, allowed=(FORM,))
    body = await read(request, limit=limit)
    return ImmutableMultiDict(_pairs(_text(body)))


async def json_object(request: Request, *, limit: int) -> dict[str, Any]:
    """The JSON object that is the body."""
    _content_type(request, allowed=(JSON,))
    return parse_object(await read(request, limit=limit))


def parse_object(body: bytes) -> dict[str, Any]:
    """A JSON object, strictly: UTF-8, no NaN, nothing twice, no depth that exhausts the parser."""
    try:
        value = json.loads(_text(body), parse_constant=_no_constant, object_pairs_hook=_object)
    except RecursionError:
        raise malformed("the JSON is nested too deeply") from None
    except ValueError:
        raise malformed("the body is not valid JSON") from None
    if not isinstance(value, dict):
        raise malformed("the body is not a JSON object")
    return value


def text_field(
    values: Mapping[str, Any], name: str, *, longest: int, required: bool = True
) -> str | None:
    """A field that is text, stripped; None when it is missing and not required."""
    value = values.get(name)
    if value is None and not required:
        return None
    if value is None:
        raise malformed(f"{name} is missing", field=name)
    if not isinstance(value, str):
        raise malformed(f"{name} is not text", field=name)
    value = value.strip()
    if not value:
        raise malformed(f"{name} is empty", field=name)
    if len(value) > longest:
        raise malformed(f"{name} is longer than {longest} characters", field=name)
    # Covers NUL, other control characters, and halves of surrogate pairs.
    if not value.isprintable():
        raise malformed(f"{name} has characters that cannot be part of it", field=name)
    return value


def malformed(message: str, *, field: str | None = None) -> AnswerError:
    """A 400 that says what was wrong."""
    return AnswerError(400, "malformed", message, details={"field": field} if field else None)


def _header(request: Request, name: bytes, default: str = "") -> str:
    """The first header of this name; `request.headers` takes five times as long."""
    for key, value in request.scope["headers"]:
        if key == name:
            return str(value, "latin-1")
    return default


def _content_type(request: Request, *, allowed: tuple[str, ...]) -> str | None:
    declared = _header(request, b"content-type")
    kind, _, parameters = declared.partition(";")
    kind = kind.strip().lower()
    charset = parameters.lower().replace(" ", "").replace('"', "")
    encoded = _header(request, b"content-encoding", "identity").lower() != "identity"
    foreign = bool(kind) and kind not in allowed
    if foreign or encoded or ("charset=" in charset and "charset=utf-8" not in charset):
        message = f"send {' or '.join(allowed)}, in UTF-8 and not compressed"
        raise AnswerError(415, "unsupported_media_type", message)
    return kind or None


def _text(body: bytes) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        raise malformed("the body is not UTF-8") from None


def _pairs(text: str) -> list[tuple[str, str]]:
    if "%" not in text and "+" not in text and text.count("&") < MOST_FIELDS:
        # What `parse_qsl` comes to where nothing is quoted, in a quarter of its time.
        parts = (part.partition("=") for part in text.split("&") if part)
        return [(name, value) for name, _, value in parts]
    try:
        return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
    except ValueError:
        raise malformed("the form or query could not be read") from None


def _form(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in _pairs(text):
        if found.setdefault(name, value) != value:
            raise malformed("a field is given twice", field=None)
    return found


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs) and any(found[name] != value for name, value in pairs):
        raise malformed("a field is given twice", field=None)
    return found


def _no_constant(_name: str) -> None:
    raise ValueError
