"""Credentials of one request, and the removal of their traces from what others may read."""

import dataclasses
import re
import urllib.parse
from collections.abc import Iterable, Mapping

MASK = "[redacted]"
# Shorter secrets are masked as whole words only, or one named "token" would eat half of the
# vendor's vocabulary, error codes included.
_LONG = 8
_SCHEMES = ("Bearer ", "Basic ")


@dataclasses.dataclass(frozen=True, slots=True, repr=False)
class Credentials:
    """What proves who we are, by the part of the request that carries it."""

    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    query: Mapping[str, str] = dataclasses.field(default_factory=dict)
    form: Mapping[str, str] = dataclasses.field(default_factory=dict)
    json: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def secrets(self) -> tuple[str, ...]:
        """Every value that must not be seen, the longest first."""
        values: set[str] = set()
        for part in (self.headers, self.query, self.form, self.json):
            for value in part.values():
                values.add(value)
                values.update(value.removeprefix(scheme) for scheme in _SCHEMES)
        return tuple(sorted(values - {""}, key=len, reverse=True))


def scrub_text(text: str, secrets: Iterable[str]) -> str:
    """The text without the secrets, plain or percent-encoded."""
    for secret in secrets:
        spellings = {secret, urllib.parse.quote(secret, safe=""), urllib.parse.quote_plus(secret)}
        for spelling in sorted(spellings, key=len, reverse=True):
            pattern = re.escape(spelling)
            if len(spelling) < _LONG:
                pattern = rf"(?<!\w){pattern}(?!\w)"
            text = re.sub(pattern, MASK, text)
    return text


def scrub(value: object, secrets: Iterable[str]) -> object:
    """A JSON value without the secrets, keys included."""
    secrets = tuple(secrets)
    if isinstance(value, str):
        return scrub_text(value, secrets)
    if isinstance(value, list):
        return [scrub(item, secrets) for item in value]
    if isinstance(value, dict):
        return {scrub_text(str(key), secrets): scrub(item, secrets) for key, item in value.items()}
    return value
