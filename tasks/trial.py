"""What the author of a provider says of its vendor, so that `waggle provider test` can play it.

A trial names what the vendor answers and what has to come of it. The kit makes everything else of
it: all kinds of trouble, limits, redirects, and vendors that repeat what they were sent.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tasks.days import Window
from tasks.providers import Grant

DAY = 86400.0
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()

App = Callable[[Any, Any, Any], Awaitable[None]]
"""An ASGI application."""


def utc_days(now: float, count: int) -> tuple[Window, ...]:
    """The last `count` days of UTC up to the one of `now` (UTC seconds), the oldest first."""
    today = now // DAY * DAY
    starts = [today - back * DAY for back in reversed(range(count))]
    return tuple(
        Window(f"{datetime.fromtimestamp(start, UTC):%Y%m%d}", start, start + DAY)
        for start in starts
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """A metric with its parameters as in the file, and what has to be read.

    `expected`: one value for every day, or values by daystamp (YYYYMMDD); None: nothing measured.
    Of a metric without history the value of the day that runs counts, and no other.
    """

    metric: str
    params: Mapping[str, Any]
    expected: float | Mapping[str, float | None] | None = None

    def on(self, daystamp: str) -> float | None:
        """The value that is due on a day. KeyError for a day that the trial forgot."""
        if isinstance(self.expected, Mapping):
            return self.expected[daystamp]
        return self.expected


@dataclass(frozen=True, slots=True, kw_only=True)
class Limited:
    """How the vendor says that it has had enough: `body` goes out as JSON."""

    status: int = 429
    headers: Mapping[str, str] = field(default_factory=lambda: {"Retry-After": "30"})
    body: object = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A vendor to play.

    `settings`: what stands in the file for the vendor at this base URL (`http://127.0.0.1:1234`),
    secrets in plain text, each at least eight characters long.
    `answers`: an ASGI application, or bodies (sent as JSON) by path; a path may go on with its
    query. Every other path is a 404.
    `feeds`: at least one of every metric. `absent`: one that the vendor does not have; without it,
    where the vendor has all that can be named, the kit takes away what each feed asks for.
    `logins`: paths that may be asked with POST; nothing else may be asked but by GET and HEAD.
    `rows`: regular expressions for the whole of JSON pointers (RFC 6901) of members that are data,
    such as the samples of an object by time, or whose absence says something, such as the link to
    a next page: the kit leaves out each member of each answer in turn, but these.
    `honest`: which of the kit's odd answers, `[]`, `{}` and `17`, this vendor may give in earnest,
    by regular expressions for the whole of paths: where nobody knows how a list without items
    looks, or whether a number comes alone. What is not named has to be an error.
    `linked`: what the code flow gave, for a provider that is linked in the browser.
    `now` in UTC seconds; `days` end with the one of `now`.
    """

    settings: Callable[[str], Mapping[str, Any]]
    answers: App | Mapping[str, object]
    feeds: Sequence[Feed]
    absent: Feed | None = None
    logins: Sequence[str] = ()
    rows: Sequence[str] = ()
    honest: Mapping[str, Sequence[str]] = field(default_factory=dict)
    limited: Limited = field(default_factory=Limited)
    linked: Grant | None = None
    now: float = NOON
    days: tuple[Window, ...] = utc_days(NOON, 3)
