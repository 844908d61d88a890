"""Answers without one of their members, in turn."""

import copy
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

Path = tuple[str | int, ...]
MOST = 300  # members of one answer that are left out; the kinds of them come first


def pointer(path: Path) -> str:
    """A path as JSON pointer (RFC 6901)."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in path)


def is_row(path: Path, rows: Sequence[str]) -> bool:
    """Is it one of the data, of which there may be fewer?"""
    return any(re.fullmatch(row, pointer(path)) for row in rows)


def all_rows(document: object, rows: Sequence[str]) -> bool:
    """Is everything at the top one of the data?"""
    return isinstance(document, dict) and all(is_row((name,), rows) for name in document)


def without_each(body: bytes, rows: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """(what was done, the body) for each member left out, and for each that is null.

    Nothing for a body that is no JSON. First of each kind of member, the same name in any item of
    a list, one and all of them; then the rest.
    """
    try:
        document = json.loads(body)
    except ValueError:
        return
    kinds: dict[Path, list[Path]] = {}
    for path in _members(document, ()):
        if not is_row(path, rows):
            kind = tuple("*" if isinstance(part, int) else part for part in path)
            kinds.setdefault(kind, []).append(path)
    turns = [paths for same in kinds.values() for paths in ([same[0]], same)]
    turns += [[path] for same in kinds.values() for path in same[1:]]
    seen: set[tuple[Path, ...]] = set()
    for paths in turns[:MOST]:
        if tuple(paths) in seen:
            continue
        seen.add(tuple(paths))
        many = f", and {len(paths) - 1} like it" if len(paths) > 1 else ""
        name = f"{pointer(paths[0])}{many}"
        yield f"without {name}", _changed(document, paths, gone=True)
        yield f"with null at {name}", _changed(document, paths, gone=False)


def _members(value: object, path: Path) -> Iterator[Path]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield (*path, name)
            yield from _members(item, (*path, name))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _members(item, (*path, number))


def _changed(document: object, paths: Sequence[Path], *, gone: bool) -> bytes:
    changed: Any = copy.deepcopy(document)
    for path in paths:
        place = changed
        for part in path[:-1]:
            place = place[part]
        if gone:
            del place[path[-1]]
        else:
            place[path[-1]] = None
    return json.dumps(changed).encode()
