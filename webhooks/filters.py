"""What somebody chose or typed to look for, in a query or a form: what can't be meant is a 400."""

import re
from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import TypeVar
from urllib.parse import urlencode

from webhooks import bodies, errors

LONGEST = 100
MOST_DIGITS = 15  # any id of a row has fewer, and a float holds it exactly
ROW = re.compile(rf"[0-9]{{1,{MOST_DIGITS}}}")
Word = TypeVar("Word", bound=StrEnum)


def text(values: Mapping[str, str], name: str, *, longest: int = LONGEST) -> str | None:
    """What was typed, stripped; None for nothing."""
    given = values.get(name, "").strip()
    return bodies.text_field({name: given}, name, longest=longest) if given else None


def one_of(values: Mapping[str, str], name: str, among: type[Word]) -> Word | None:
    """What was chosen; None for nothing."""
    given = word(values, name, [known.value for known in among])
    return None if given is None else among(given)


def word(values: Mapping[str, str], name: str, among: Collection[str]) -> str | None:
    """The same where the words are no states."""
    given = values.get(name) or None
    if given is not None and given not in among:
        raise bodies.malformed(f"{name} is none of {', '.join(among)}", field=name)
    return given


def row(values: Mapping[str, str], name: str) -> int | None:
    """The id of a row at which a page begins; what can be none is no page."""
    given = values.get(name) or None
    if given is None:
        return None
    if ROW.fullmatch(given) is None:
        raise errors.NotFoundError
    return int(given)


def address(path: str, **fields: object) -> str:
    """A path with these fields as its query; those that say nothing are left out."""
    given = {name: str(value) for name, value in fields.items() if value not in (None, "")}
    return f"{path}?{urlencode(given)}" if given else path
