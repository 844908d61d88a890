"""JSON pointers: one place in a JSON document, as text (RFC 6901).

    tokens = parse("/brands/0/sum")      # ("brands", "0", "sum")
    resolve(document, tokens)            # 12.5

https://www.rfc-editor.org/rfc/rfc6901
"""

import re
from collections.abc import Sequence

_BAD_ESCAPE = re.compile("~(?![01])")
_INDEX = re.compile("0|[1-9][0-9]*")
_LONGEST_INDEX = 9  # digits; no list of ours is longer, and long digits cost time
_SHOWN = 60  # characters of a name that is quoted
_MEMBERS_SHOWN = 8


def parse(text: str) -> tuple[str, ...]:
    """The names and numbers on the way, unescaped; () for the whole document.

    Raises ValueError with a sentence for what is no pointer.
    """
    if not text:
        return ()
    if not text.startswith("/"):
        raise ValueError(f"{_quoted(text)} is no JSON pointer: it has to begin with a slash")
    if _BAD_ESCAPE.search(text):
        raise ValueError(
            f"{_quoted(text)} is no JSON pointer: write ~0 for a tilde and ~1 for a slash in a name"
        )
    # In this order: `~01` is a tilde and a one, not a slash.
    return tuple(
        token.replace("~1", "/").replace("~0", "~") for token in text.removeprefix("/").split("/")
    )


def resolve(document: object, tokens: Sequence[str]) -> object:
    """What stands at that place, null included; `tokens` as `parse` gives them.

    Raises LookupError with a sentence that says how far it got.
    """
    found = document
    for number, token in enumerate(tokens):
        place = "".join(f"/{_escaped(passed)}" for passed in tokens[:number])
        found = _step(found, token, _quoted(place) if place else "the document")
    return found


def _step(value: object, token: str, place: str) -> object:
    if isinstance(value, dict):
        if token not in value:
            raise LookupError(f"{place} has no member {_quoted(token)}; {_members(value)}")
        return value[token]
    if isinstance(value, list):
        return value[_index(value, token, place)]
    raise LookupError(
        f"{place} is {_kind(value)}, which has nothing inside: no {_quoted(token)} can be in it"
    )


def _index(value: list[object], token: str, place: str) -> int:
    if token == "-":  # noqa: S105 -- the place behind the last item, in a pointer
        raise LookupError(f"{place} is a list: - stands for the place after its end, with no value")
    if not _INDEX.fullmatch(token):
        raise LookupError(
            f"{place} is a list: {_quoted(token)} is no index, write 0 for its first item"
        )
    index = int(token[:_LONGEST_INDEX]) if len(token) <= _LONGEST_INDEX else len(value)
    if index >= len(value):
        raise LookupError(f"{place} has no item {_short(token)}: it is a list of {len(value)}")
    return index


def _members(value: dict[str, object]) -> str:
    if not value:
        return "it is empty"
    names = [_quoted(name) for name in list(value)[:_MEMBERS_SHOWN]]
    more = ", …" if len(value) > _MEMBERS_SHOWN else ""
    return f"it has {', '.join(names)}{more}"


def _kind(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    return "a text" if isinstance(value, str) else "a number"


def _escaped(token: str) -> str:
    return token.replace("~", "~0").replace("/", "~1")


def _quoted(text: str) -> str:
    return repr(_short(text))


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
