"""What a limit says in its answers: the forms of the vendors."""

import json
import math
import re
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any, Literal, get_args

from simulators.window_meters import Verdict
from simulators.windows import Rounding, Window, rounded

Headers = Literal["retry-after", "x-ratelimit", "ratelimit", "none"]
Fields = list[tuple[bytes, bytes]]

# How each form spells a wait, where it leaves no choice.
SPELT: dict[str, Rounding] = {"x-ratelimit": "date", "ratelimit": "ceil"}
_PAGE = "<html><body><h1>{status} Service Temporarily Unavailable</h1></body></html>"
_BODIES: dict[int, Any] = {
    403: {
        "message": "API rate limit exceeded.",
        "documentation_url": "https://developer.bm.parts/",
    },
    429: {"error": {"code": "rate_limited", "message": "Too many requests."}},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A window, whom it meets and how it says no.

    `match`: a regular expression searched in the whole path. `status`: 429 with Rime's error
    envelope, 403 with the body of BM Parts, anything else with a page; `body` is sent instead,
    as JSON. `headers`: `retry-after` (on refusals); `x-ratelimit` (Limit, Remaining and Reset in
    Unix seconds, on every answer); `ratelimit` (RateLimit and RateLimit-Policy of
    draft-ietf-httpapi-ratelimit-headers, on every answer); `none`. ValueError for what can't be.
    """

    window: Window
    status: int = 429
    headers: Headers = "retry-after"
    match: str = ""
    body: Any = None

    def __post_init__(self) -> None:
        if self.headers not in get_args(Headers):
            raise ValueError(f"headers {self.headers!r} is none of {', '.join(get_args(Headers))}")
        if (only := SPELT.get(self.headers, self.window.rounding)) != self.window.rounding:
            raise ValueError(f"{self.headers} can only tell a wait with rounding={only!r}")
        check_status(self.status)
        re.compile(self.match)

    def told(self, wait: float, *, date: float) -> float | None:
        """The seconds that a refusal names, None if it names none; `date` is the server's Date."""
        return None if self.headers == "none" else self.window.told(wait, now=date)

    def used_up(self, verdict: Verdict, *, now: float, date: float) -> float | None:
        """Until when an answer that is served says that nothing is left; None: it does not."""
        if self.headers not in SPELT or not verdict.served or verdict.remaining:
            return None
        return now + self.window.told(verdict.reset, now=date)

    def fields(self, verdict: Verdict, *, date: float) -> Fields:
        """The header fields of an answer with this verdict."""
        if self.headers == "none":
            return []
        if self.headers == "retry-after":
            wait, rounding = verdict.wait, self.window.rounding
            return [] if verdict.served else [retry_after(wait, rounding, date=date)]
        window = self.window
        reset = window.told(verdict.reset, now=date)
        if self.headers == "x-ratelimit":
            return [
                (b"x-ratelimit-limit", str(window.requests).encode()),
                (b"x-ratelimit-remaining", str(verdict.remaining).encode()),
                (b"x-ratelimit-reset", str(round(date + reset)).encode()),
            ]
        # The draft knows whole seconds only.
        whole = math.ceil(window.seconds)
        quota = math.floor(window.requests * whole / window.seconds)
        return [
            (b"ratelimit-policy", f'"default";q={quota};w={whole}'.encode()),
            (b"ratelimit", f'"default";r={verdict.remaining};t={reset:.0f}'.encode()),
        ]


def check_status(status: int) -> None:
    """ValueError for what is no status of a refusal."""
    if status not in range(400, 600):
        raise ValueError(f"status {status!r} refuses nothing; take 403, 429 or 503")


def retry_after(wait: float, rounding: Rounding, *, date: float) -> tuple[bytes, bytes]:
    """The field that names this wait (seconds)."""
    told = rounded(wait, rounding, now=date)
    if rounding == "date":
        value = formatdate(round(date + told), usegmt=True)
    else:
        value = f"{told:.0f}" if rounding == "ceil" else f"{told:.6f}"
    return b"retry-after", value.encode()


def body(status: int, given: Any = None) -> tuple[bytes, bytes]:  # noqa: ANN401 - any JSON
    """Content type and body of a refusal."""
    if (value := given if given is not None else _BODIES.get(status)) is not None:
        return b"application/json", json.dumps(value).encode()
    return b"text/html", _PAGE.format(status=status).encode()
