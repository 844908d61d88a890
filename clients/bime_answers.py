"""How Bime answers: its envelope, its validators, and what of its errors may be told.

The page shows bare bodies, every published sample takes a `result` out of an envelope: both are
read. An error may quote records, and those of named users hold other people's tokens. So nothing of
an error body is kept but a plain sentence, and of errors about named users not even that.
"""

import dataclasses
import math
import re
from collections.abc import Callable
from typing import TypeVar

from clients import errors, retry_after
from clients.answers import Answer
from clients.http import ApiClient
from clients.limits import Limits

T = TypeVar("T")

_ENVELOPE = frozenset({"result", "error"})
_SAYING = ("error", "message", "error_description")
_SENTENCE = re.compile(r"[A-Za-z][A-Za-z ,.'!-]{0,199}")
_LONG_WORD = re.compile(r"[^ ]{21}")  # so long only ids and keys are
_TOKEN = re.compile("token|key|secret|password", re.IGNORECASE)
_ETAG = re.compile(r'(?:W/)?"[!#-~]{0,500}"')
_DATE = re.compile(r"[A-Za-z0-9,:+ -]{1,60}")


@dataclasses.dataclass(frozen=True, slots=True)
class Validators:
    """What tells whether an answer is still the same, as it was sent (RFC 9110, 8.8)."""

    etag: str | None = None
    last_modified: str | None = None

    def headers(self) -> dict[str, str]:
        """The conditions of a request. Weak tags are good: what is compared is compared weakly."""
        conditions = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {name: value for name, value in conditions.items() if value is not None}

    @classmethod
    def of(cls, answer: Answer, *, now: float) -> "Validators":
        """Those of an answer that can be sent back; `now` (Unix seconds) where it has no Date.

        A Last-Modified that is not at least a second old is left out: what changed later in the
        same second would be taken for unchanged for ever (RFC 9110, 8.8.2.2).
        """
        etag = answer.headers.get("ETag", "")
        modified = answer.headers.get("Last-Modified", "")
        date = retry_after.server_clock(answer.headers.get("Date"), now=now)
        age = date - retry_after.server_clock(modified, now=math.nan)
        return cls(
            etag if _ETAG.fullmatch(etag) else None,
            modified if _DATE.fullmatch(modified) and age >= 1.0 else None,
        )


class BimeApi(ApiClient):
    """What Bime's clients have in common."""

    vendor = "Bime"

    def _error_message(self, answer: Answer) -> str:
        return told(answer, answer.details())

    def _classify(self, answer: Answer, said: Limits) -> errors.ClientError | None:
        error = super()._classify(answer, said)
        if error is not None:
            error.details = None
        return error


def told(answer: Answer, body: object) -> str:
    """What an error body says, where that is a plain sentence and not about named users."""
    if answer.path.startswith("named_users") or not isinstance(body, dict):
        return ""
    said = (body.get(key) for key in _SAYING)
    return next((text for text in said if isinstance(text, str) and _is_plain(text)), "")


def unwrapped(answer: Answer) -> object:
    """The body, out of its envelope where it has one.

    Raises Rejected for an envelope with an error, UnexpectedResponse for one without a result.
    """
    body = answer.json()
    if not isinstance(body, dict) or not body.keys() & _ENVELOPE:
        return body
    if body.get("error") is not None:
        text = told(answer, body)
        raise errors.Rejected(
            f"Bime answered {answer.method} {answer.path} with an error{text and ': '}{text}",
            status=answer.status,
            request_id=answer.request_id,
        )
    if body.get("result") is None:
        raise answer.unexpected("field result is missing")
    found: object = body["result"]
    return found


def apart(read: Callable[[Answer], T], answer: Answer) -> T | errors.ClientError:
    """What `read` makes of an answer, or its error without the frames that saw the body."""
    try:
        return read(answer)
    except errors.ClientError as error:
        return error.with_traceback(None)


def _is_plain(text: str) -> bool:
    return (
        _SENTENCE.fullmatch(text) is not None
        and _LONG_WORD.search(text) is None
        and _TOKEN.search(text) is None
    )
