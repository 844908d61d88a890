"""Taking secrets out of what is about to be logged: by place, by name, and by their very text."""

import json
import re
import threading
import urllib.parse
from collections.abc import Mapping
from typing import Any

MASK = "***"
SHORTEST = 4  # hiding shorter texts would hide half of every line, and nothing that is a secret

_NAME = (
    r"(?:auth_?token|access_?token|refresh_?token|id_?token|client_?secret|secret_?keys?"
    r"|callback_?secrets?|api_?key|pass(?:word|wd|phrase)|x-api-key|set-cookie|cookie)"
)
_VALUE = r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s&"',;<>)}\]]+)"""
_NAMED = re.compile(rf"""(?i)({_NAME}["']?\s*(?:=|:|%3D)\s*)(?:\w?{_VALUE})""")
_PLAIN_TOKEN = re.compile(rf"""(?i)([?&]token=|["']token["']\s*:\s*){_VALUE}""")
_HEADER = re.compile(r"""(?i)(\bauthorization["']?\s*[=:,]\s*["']?)(?:\w+\s+)?[^\s"',;)}\]]+""")
_SCHEME = re.compile(r"(?i)\b(bearer|basic)(\s+|%20)[\w.~+/=-]{6,}")
_USERINFO = re.compile(r"(://[^\s/:@'\"]*:)[^\s/'\"]+@")
_PATH = re.compile(r"(/beeminder/(?:autofetch|deauthorized|reminder)/|/login/)[^\s/?#\"']+")
_RULES = (
    (("token", "secret", "key", "pass", "cookie"), _NAMED, rf"\1{MASK}"),
    (("token",), _PLAIN_TOKEN, rf"\1{MASK}"),
    (("authorization",), _HEADER, rf"\1{MASK}"),
    (("bearer", "basic"), _SCHEME, rf"\1\2{MASK}"),
    (("://",), _USERINFO, rf"\1{MASK}@"),
    (("/beeminder/", "/login/"), _PATH, rf"\1{MASK}"),
)
_SENSITIVE_KEY = re.compile(rf"(?i)(?:{_NAME}|authorization|^token$|^password$)$")

_lock = threading.Lock()
_hidden: tuple[str, ...] = ()


def hide(*secrets: str) -> None:
    """From now on these texts are never logged by this process, however they are spelled."""
    global _hidden  # noqa: PLW0603 -- the handlers of a process share what they know
    spellings = set(_hidden_now())
    for secret in secrets:
        if len(secret) < SHORTEST:
            continue
        spellings |= {
            secret,
            urllib.parse.quote(secret, safe=""),
            urllib.parse.quote_plus(secret),
            json.dumps(secret)[1:-1],
            json.dumps(secret, ensure_ascii=False)[1:-1],
            repr(secret)[1:-1],
        }
    with _lock:
        _hidden = tuple(sorted(spellings, key=len, reverse=True))


def _hidden_now() -> tuple[str, ...]:
    return _hidden


def exact(line: str) -> str:
    """The line without the texts given to `hide`."""
    for secret in _hidden_now():
        line = line.replace(secret, MASK)
    return line


def text(line: str) -> str:
    """The line without those texts, and without whatever looks like a secret."""
    line = exact(line)
    lower = line.lower()
    for words, pattern, instead in _RULES:
        if any(word in lower for word in words):  # far quicker than to search for the pattern
            line = pattern.sub(instead, line)
    return line


def value(found: Any, key: str = "") -> Any:  # noqa: ANN401 -- whatever was handed to the logger
    """A value as plain data, cleaned however deep, without what stands under a secret's name."""
    if found is None or isinstance(found, bool | int | float):
        return found
    if key and _SENSITIVE_KEY.search(key):
        return MASK
    if isinstance(found, Mapping):
        return {text(str(name)): value(item, str(name)) for name, item in found.items()}
    if isinstance(found, list | tuple):
        return [value(item) for item in found]
    return text(found if isinstance(found, str) else repr(found))
