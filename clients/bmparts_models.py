"""What is read from answers of BM Parts, whose shapes are documented in part only.

Lists come as arrays or as objects keyed by id. One that is missing is an error, an empty one is
not.
"""

import dataclasses
import datetime as dt
import json
from collections.abc import Mapping, Sequence

from clients.answers import Answer, pruned
from clients.bmparts_numbers import kind_of

Row = Mapping[str, object]

# Lists that an answer may hold beside its own, or in its place when it is a refusal.
_NO_LISTS = frozenset({"error", "errors", "message", "messages", "warning", "warnings"})
_CODES = ("code", "type", "uuid", "id")
_NAMES = ("name", "title", "description")


@dataclasses.dataclass(frozen=True, slots=True)
class Listed:
    """A record of a list. `key` is its name in a list that came as an object, else None."""

    row: Row
    key: str | None = None

    def id(self, *names: str) -> str | None:
        """The record's id under the first of these names that it has; None without any."""
        for name in names:
            found = self.row.get(name)
            if isinstance(found, str) and found.strip():
                return found.strip()
            if isinstance(found, int) and not isinstance(found, bool):
                return str(found)
        return self.key

    def content(self) -> str:
        """All of it as one text, for a record without an id."""
        return json.dumps(pruned(self.row), sort_keys=True)


@dataclasses.dataclass(frozen=True, slots=True)
class DocumentType:
    """A kind of document, such as a shipment; `code` is what feeds name."""

    code: str
    name: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Profile:
    """Whose key it is, as far as it is told."""

    uuid: str = ""
    name: str = ""


def records(answer: Answer, *names: str) -> list[Listed]:
    """The list of an answer, under one of these names, or the only one that it can be.

    In this order: a named member; the only array; the only object of objects; an array at the top.
    Raises UnexpectedResponse for a list that is missing or can't be told from another, or that
    holds something else than objects.
    """
    body = answer.json()
    found = body if isinstance(body, list) else _list_in(answer, body, names)
    pairs: list[tuple[str | None, object]] = (
        list(found.items()) if isinstance(found, dict) else [(None, item) for item in found]
    )
    rows = []
    for number, (key, row) in enumerate(pairs):
        if not isinstance(row, dict):
            raise answer.unexpected(
                f"{names[0]}.{number}: an object was due, found {type(row).__name__}"
            )
        rows.append(Listed(row, key))
    return rows


def _list_in(
    answer: Answer, body: object, names: Sequence[str]
) -> list[object] | dict[str, object]:
    if not isinstance(body, dict):
        raise answer.unexpected(f"list {names[0]} is missing: found {type(body).__name__}")
    for name in names:
        if name in body:
            if (named := _rows(body[name])) is not None:
                return named
            raise answer.unexpected(f"{name}: a list was due, found {kind_of(body[name])}")
    others = {name: value for name, value in body.items() if name not in _NO_LISTS}
    arrays = [value for value in others.values() if isinstance(value, list)]
    if len(arrays) == 1:
        return arrays[0]
    # Without its name an empty object may be anything.
    keyed = [rows for value in others.values() if value and (rows := _rows(value)) is not None]
    if not arrays and len(keyed) == 1:
        return keyed[0]
    found = ", ".join(sorted(map(str, body))[:8]) or "nothing"
    raise answer.unexpected(f"list {names[0]} is missing: found {found}")


def _rows(value: object) -> list[object] | dict[str, object] | None:
    """An array, or an object that holds objects only; None for anything else."""
    if isinstance(value, list):
        return value
    if isinstance(value, dict) and all(isinstance(row, dict) for row in value.values()):
        return value
    return None


def instant(answer: Answer, place: str, value: object) -> float:
    """An instant with its zone (ISO 8601) in Unix seconds. Raises UnexpectedResponse."""
    if isinstance(value, str):
        try:
            at = dt.datetime.fromisoformat(value)
            if at.tzinfo is not None:
                return at.timestamp()
        except (ValueError, OverflowError):
            pass
    shown = repr(value[:40]) if isinstance(value, str) else kind_of(value)
    raise answer.unexpected(f"{place}: an instant with its zone was due, found {shown}")


def document_types(answer: Answer) -> tuple[DocumentType, ...]:
    """Kinds of documents by code: objects with a code, or names by code."""
    body = answer.json()
    if isinstance(body, dict):
        for value in (body, *body.values()):
            named = isinstance(value, dict) and value and all(map(_is_name, value.items()))
            if named and isinstance(value, dict):
                return tuple(DocumentType(code, str(name)) for code, name in value.items())
    kinds = []
    for one in records(answer, "types", "document_types"):
        code = one.id(*_CODES)
        if code is not None:
            names = [found for name in _NAMES if isinstance(found := one.row.get(name), str)]
            kinds.append(DocumentType(code, next(iter(names), "")))
    return tuple(kinds)


def _is_name(pair: tuple[object, object]) -> bool:
    code, name = pair
    return isinstance(name, str) and isinstance(code, str) and len(code) == len("00003A4D")


def profile(answer: Answer) -> Profile:
    """Who answers: whatever else the profile holds, and where it holds neither, is left alone.

    Raises UnexpectedResponse for what is no object: that is not the vendor, and proves no key.
    """
    told = answer.json()
    if isinstance(told, dict) and len(told) == 1:
        (inner,) = told.values()
        told = inner if isinstance(inner, dict) else told
    if not isinstance(told, dict):
        raise answer.unexpected(f"the profile: an object was due, found {kind_of(told)}")
    return Profile(**{name: told[name] for name in ("uuid", "name") if _is_text(told.get(name))})


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())
