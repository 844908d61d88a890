"""Structured fields (RFC 9651), read so that nothing in them can do harm.

What does not parse is nothing at all: a line of a header counts as a whole or not. Byte sequences,
inner lists and the rest of the standard are understood, and left out where nobody asks for them.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence

import http_sf

Item = tuple[object, Mapping[str, object]]


def items(lines: Sequence[str]) -> Iterator[Item]:
    """The items of a List, each with its parameters; inner lists are left out. Never raises."""
    for line in lines:
        found = _parsed(line, "list")
        for item in found if isinstance(found, list) else ():
            if isinstance(item, tuple) and not isinstance(item[0], list):
                yield item[0], item[1]


def members(lines: Sequence[str]) -> dict[str, object]:
    """The members of a Dictionary, without their parameters. Never raises."""
    values: dict[str, object] = {}
    for line in lines:
        found = _parsed(line, "dictionary")
        for name, item in found.items() if isinstance(found, dict) else ():
            values[name] = item[0] if isinstance(item, tuple) else item
    return values


def whole(value: object) -> int | None:
    """A number of things or seconds: a non-negative Integer, below 10**15; None for all else."""
    # True is what a parameter without a value stands for, and an int in Python's eyes.
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    return None


def _parsed(line: str, kind: str) -> http_sf.StructuredType | None:
    # The parser's own errors are ValueErrors, and so are those of text that is not ASCII.
    with contextlib.suppress(ValueError):
        return http_sf.parse(line.encode("ascii"), tltype=kind)
    return None
