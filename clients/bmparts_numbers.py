"""Numbers in answers of BM Parts, which come as text as well: "5", "2,5", ">10", "-".

What is no number is never taken for one: `>10` may be eleven or a thousand.
"""

import math
import re
from collections.abc import Sequence

from clients.answers import Answer

_DECIMAL = re.compile(r"[+-]?[0-9]+(?:[.,][0-9]+)?")
_BOUND = re.compile(r"[<>≤≥~]")
_LONGEST_NUMBER = 40  # characters


class NotANumberError(ValueError):
    """A value that is no number; the text says what it is, in a sentence."""


def number(value: object) -> float:
    """A number, or a text that is one ("5", "-2,5"). NotANumberError says what it is instead."""
    if isinstance(value, str):
        return _number_in(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise NotANumberError(f"it is {kind_of(value)}, and no number")
    try:
        found = float(value)
    except OverflowError:
        found = math.inf
    if not math.isfinite(found):
        raise NotANumberError("it is a number that is not finite")
    return found


def _number_in(text: str) -> float:
    bare = text.strip()
    shown = repr(bare if len(bare) <= _LONGEST_NUMBER else f"{bare[:_LONGEST_NUMBER]}…")
    if len(bare) <= _LONGEST_NUMBER and _DECIMAL.fullmatch(bare):
        return float(bare.replace(",", "."))
    if _BOUND.match(bare):
        raise NotANumberError(f"it is {shown}: a bound, and nobody says how much it is exactly")
    if bare in ("", "-", "–", "—"):  # noqa: RUF001 -- dashes as people type them
        raise NotANumberError(f"it is {shown}: the sign for no value")
    raise NotANumberError(f"it is the text {shown}, and no number")


def count(answer: Answer, name: str) -> int:
    """A count that stands alone: a bare number, or the only number in the objects of an answer.

    Text counts as a number only where there is no other. Raises UnexpectedResponse that says what
    was found.
    """
    body = answer.json()
    leaves = list(_leaves(body, ()))
    plain = [
        (place, value)
        for place, value in leaves
        if isinstance(value, int | float) and not isinstance(value, bool)
    ]
    texts = [(place, value) for place, value in leaves if _is_number(value)]
    found = plain or texts
    if len(found) != 1:
        shown = ", ".join(
            f"{place or 'the body'} ({kind_of(value)})" for place, value in leaves[:8]
        )
        raise answer.unexpected(
            f"{name}: one number was due, found {len(found)} in: {shown or 'nothing'}"
        )
    place, value = found[0]
    counted = number(value) if _is_number(value) else math.nan
    if not counted.is_integer() or counted < 0:
        raise answer.unexpected(f"{place or name}: a count was due, found {str(value)[:40]}")
    return int(counted)


def _leaves(value: object, way: tuple[str, ...]) -> Sequence[tuple[str, object]]:
    """What stands in an answer, by place; a list is not looked into."""
    if isinstance(value, dict) and len(way) < 4:  # noqa: PLR2004 -- counts are not deeper
        return [leaf for name, part in value.items() for leaf in _leaves(part, (*way, str(name)))]
    return [(".".join(way), value)]


def _is_number(value: object) -> bool:
    try:
        number(value)
    except NotANumberError:
        return False
    return True


def kind_of(value: object) -> str:
    """What a JSON value is, in words."""
    if value is None:
        return "null"
    kinds = {bool: "a boolean", str: "a text", dict: "an object", list: "a list"}
    return kinds.get(type(value), "a number")
