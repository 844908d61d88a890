"""What is wrong with a declaration, in words: where, what, and the nearest name that is right.

Nothing that was entered as a secret is ever repeated.
"""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

QUOTED = re.compile("'([^']+)'")
BARE = re.compile(r"[A-Za-z0-9_-]+")
WORDS = {
    "int_type": "has to be a whole number",
    "int_parsing": "has to be a whole number",
    "int_from_float": "has to be a whole number",
    "float_type": "has to be a number",
    "float_parsing": "has to be a number",
    "string_type": "has to be text",
    "bool_type": "has to be true or false",
    "bool_parsing": "has to be true or false",
    "list_type": "has to be a list",
    "dict_type": "has to be a table",
    "missing": "is missing",
}


class DeclarationError(Exception):
    """The file can't be applied; `problems` holds every reason, one line each."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


@dataclass(slots=True)
class Problems:
    """Collects what is wrong with one file, so that all of it is told at once.

    `found`: the same as pairs of key and text, for whoever tells it in another way.
    """

    file: str
    lines: list[str] = field(default_factory=list)
    found: list[tuple[str, str]] = field(default_factory=list)

    def add(self, key: str, what: str) -> None:
        """One more problem, with the key in the file that it is about."""
        line = f"{self.file}: {key}: {what}" if key else f"{self.file}: {what}"
        if line not in self.lines:
            self.lines.append(line)
            self.found.append((key, what))

    def add_invalid(
        self, key: str, error: ValidationError, model: type[BaseModel], given: Mapping[str, Any]
    ) -> None:
        """Everything that a model had to say about the table at `key`, which was `given`."""
        of_one_key: dict[str, list[str]] = {}
        for detail in error.errors(include_url=False, include_input=False):
            # The rest of the place is which type of a union was tried.
            place = str(detail["loc"][0]) if detail["loc"] else ""
            said = of_one_key.setdefault(place, [])
            what = _sentence(detail, model, given)
            if what not in said:
                said.append(what)
        for place, said in of_one_key.items():
            self.add(join(key, place) if place else key, ", or ".join(said))
        if "" not in of_one_key:
            for what in _besides(model, given):
                self.add(key, what)

    def unless_known(self, key: str, name: str, known: Iterable[str], *, kind: str) -> bool:
        """Is `name` one of the known ones? If not that is a problem."""
        names = sorted(known)
        if name in names:
            return True
        self.add(key, f"there is no {kind} {name!r}{nearest(name, names)}")
        return False

    def raise_any(self) -> None:
        """Stop here if anything was wrong."""
        if self.lines:
            raise DeclarationError(self.lines)


def nearest(name: str, known: Iterable[str]) -> str:
    """How a complaint about an unknown name goes on."""
    names = sorted(known)
    near = _near(name, names)
    if near:
        return near
    return f"; there is: {', '.join(names)}" if names else "; there is none"


def _near(name: str, names: Sequence[str]) -> str:
    near = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else ""


def join(table: str, *keys: str) -> str:
    """A dotted key as it would stand in TOML; `table` may be such a key already."""
    quoted = (key if BARE.fullmatch(key) else f'"{key}"' for key in keys)
    return ".".join((table, *quoted))


def _besides(model: type[BaseModel], given: Mapping[str, Any]) -> Iterator[str]:
    """What else is wrong with a table of which single keys are.

    A model looks at its keys together only when each of them is right; people want to hear of both.
    """
    made = model.model_construct(**given)
    for check in model.__pydantic_decorators__.model_validators.values():
        if check.info.mode != "after":
            continue
        try:
            check.func(made)
        except ValueError as error:
            yield str(error)
        except (AttributeError, TypeError):
            continue  # it needs the keys that are wrong


def _sentence(detail: ErrorDetails, model: type[BaseModel], given: Mapping[str, Any]) -> str:
    kind = detail["type"]
    if kind == "extra_forbidden":
        return f"unknown key{nearest(str(detail['loc'][0]), model.model_fields)}"
    if kind in WORDS:
        return WORDS[kind]
    if kind == "literal_error":
        expected = str(detail["ctx"]["expected"])
        near = _near(str(given.get(str(detail["loc"][0]))), QUOTED.findall(expected))
        return f"has to be {expected}{near}"
    return detail["msg"].removeprefix("Value error, ").removeprefix("Input ")
