"""What a person declared: users, sources and feeds as plain values, and how feeds are called."""

import re
from dataclasses import dataclass, field
from typing import Any

from db.names import feed_name

NAME = re.compile(r"[a-z0-9_-]{1,100}")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredUser:
    """A person; without a token they are linked by OAuth."""

    username: str
    token: str | None = field(repr=False)
    token_kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredSource:
    """A source; `settings` is what may be shown, `credentials` what may not.

    `key_seconds`: how long a key lives there, None for ever. `key_made`: when this one was made
    (UTC seconds), None where the file does not say it. `public_only`: see `db.models.Source`.
    """

    name: str
    username: str
    provider: str
    account: str
    settings: dict[str, Any]
    credentials: dict[str, Any] = field(repr=False)
    key_seconds: float | None = None
    key_made: float | None = None
    public_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredFeed:
    """A feed; `since` is YYYYMMDD, `every` in seconds."""

    username: str
    slug: str
    label: str
    source: str
    metric: str
    params: dict[str, Any]
    options: dict[str, Any]
    since: str | None
    every: float

    @property
    def name(self) -> str:
        """The feed as people call it."""
        return feed_name(self.username, self.slug, self.label)


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """A whole file, checked."""

    users: tuple[DeclaredUser, ...]
    sources: tuple[DeclaredSource, ...]
    feeds: tuple[DeclaredFeed, ...]


def split_name(text: str) -> tuple[str, str, str] | None:
    """(user, goal, label) of user/goal or user/goal:label in lower case; None if it is neither."""
    username, slash, rest = text.strip().lower().partition("/")
    slug, colon, label = rest.partition(":")
    needed = (username, slug, label) if colon else (username, slug)
    if not slash or not all(NAME.fullmatch(part) for part in needed):
        return None
    return username, slug, label
