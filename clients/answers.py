"""An answer of a vendor, read whole, and how to take it apart."""

import dataclasses
from typing import TypeVar

import httpx
import pydantic

from clients import decoding, errors, redaction

T = TypeVar("T")

_TEXT_LIMIT = 300
_ID_LIMIT = 100
_ERROR_KEYS = ("message", "error_message", "error_description", "error", "errors", "detail")
_PAGE_STARTS = (b"<!doctype html", b"<html")


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers and the whole decoded body of one exchange.

    `method` and `path` tell what was asked. `secrets` were sent along: what the answer says about
    itself is clean of them; body and headers may hold them, so repr leaves those out.
    """

    method: str
    path: str
    status: int
    headers: httpx.Headers = dataclasses.field(repr=False)
    body: bytes = dataclasses.field(repr=False)
    secrets: tuple[str, ...] = dataclasses.field(default=(), repr=False)

    @property
    def request_id(self) -> str | None:
        """The vendor's name for this exchange (X-Request-Id), or None."""
        value = self.headers.get("X-Request-Id")
        return _one_line(self.clean(value), _ID_LIMIT) if value else None

    def clean(self, text: str) -> str:
        """The text without the secrets of the request."""
        return redaction.scrub_text(text, self.secrets)

    @property
    def is_html(self) -> bool:
        """True for a page made for people, whatever its label says."""
        start = self.body[:200].removeprefix(b"\xef\xbb\xbf").lstrip()
        if start.startswith((b"{", b"[")):
            return False
        labelled = "html" in self.headers.get("Content-Type", "").lower()
        return labelled or start.lower().startswith(_PAGE_STARTS)

    def json(self) -> object:
        """The body as JSON; bare Infinity and NaN are kept. Raises UnexpectedResponse."""
        try:
            return decoding.loads(self.body)
        except ValueError as error:
            wrong = str(error)
        kind = _one_line(self.headers.get("Content-Type") or "no content type", _ID_LIMIT)
        raise self.unexpected(f"the body {wrong} ({len(self.body)} bytes, {kind})")

    def parsed(self, adapter: pydantic.TypeAdapter[T], data: object = ...) -> T:
        """The body, or a part of it, as a value of ours. Raises UnexpectedResponse.

        A null counts as a field that is not there.
        """
        found = self.json() if data is ... else data
        try:
            return adapter.validate_python(_without_nulls(found))
        except pydantic.ValidationError as error:
            # pydantic's text quotes the input; ours names the field and the type found.
            first = error.errors(include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the body"
        if first["type"] == "missing":
            problem = f"field {where} is missing"
        else:
            problem = f"field {where}: {first['msg']}, found {type(first['input']).__name__}"
        raise self.unexpected(problem)

    def unexpected(
        self, problem: str, *, reason: str = "unexpected_response"
    ) -> errors.UnexpectedResponse:
        """The error to raise when this answer does not fit."""
        problem = _one_line(self.clean(problem))
        return errors.UnexpectedResponse(
            f"the answer to {self.method} {self.path} does not fit: {problem}",
            reason=reason,
            status=self.status,
            request_id=self.request_id,
        )

    def details(self) -> object:
        """The error body parsed, None when it is not JSON."""
        try:
            return pruned(self.json())
        except errors.UnexpectedResponse:
            return None

    def error_text(self) -> str:
        """What the error body says, in one line; empty when it says nothing."""
        return error_text(self.details())


def error_text(body: object) -> str:
    """The message in a parsed error body: string, list or object, under any usual key."""
    if isinstance(body, dict):
        named = {key: body[key] for key in _ERROR_KEYS if body.get(key)}
        body = list(named.values()) if named else {k: v for k, v in body.items() if k != "code"}
    return _one_line("; ".join(_texts(body)))


def _texts(value: object) -> list[str]:
    if isinstance(value, dict):
        return [
            text if key in _ERROR_KEYS else f"{key}: {text}"
            for key, item in value.items()
            for text in _texts(item)
        ]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    return [] if value is None else [str(value)]


def _one_line(text: str, limit: int = _TEXT_LIMIT) -> str:
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def pruned(value: object, levels: int = 12) -> object:
    """The value without what is nested deeper: a hostile body must not exhaust our stack."""
    if isinstance(value, list):
        return [pruned(item, levels - 1) for item in value] if levels else []
    if isinstance(value, dict):
        return {key: pruned(item, levels - 1) for key, item in value.items()} if levels else {}
    return value


def _without_nulls(data: object) -> object:
    if isinstance(data, list):
        return [_present(item) for item in data]
    return _present(data)


def _present(item: object) -> object:
    if isinstance(item, dict):
        return {key: value for key, value in item.items() if value is not None}
    return item
