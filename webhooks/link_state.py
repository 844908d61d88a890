"""What has been chosen of a link so far: all of it stands in the address, and none is secret.

So a page can be left, loaded again and gone back to, and a choice changed, without losing another.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

from starlette.datastructures import ImmutableMultiDict, QueryParams

from webhooks import errors

PARAM = "p."
LONGEST = 400
MOST = 40
PLAIN = (
    "user", "source", "metric", "goal", "label", "since", "every", "corrections", "accept", "keep",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Chosen:
    """The choices by their names, and the parameters of the metric by theirs."""

    values: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)

    def get(self, name: str) -> str:
        """A choice; empty where none was made."""
        return self.values.get(name, "")

    def fields(self, *without: str) -> dict[str, str]:
        """All of it as fields of a form or query, without these."""
        found = {name: self.values[name] for name in PLAIN if self.values.get(name)}
        found |= {f"{PARAM}{name}": value for name, value in self.params.items() if value}
        return {name: value for name, value in found.items() if name not in without}

    def path(self, step: str, **changed: str) -> str:
        """The address of a step with these choices, some changed."""
        query = {name: value for name, value in (self.fields() | changed).items() if value}
        return f"{step}?{urlencode(query)}" if query else step


def read(given: QueryParams | ImmutableMultiDict[str, str]) -> Chosen:
    """The choices of a query or form; what is none of them is left out."""
    values: dict[str, str] = {}
    params: dict[str, str] = {}
    for name, value in list(given.multi_items())[:MOST]:
        text = value.strip()
        if len(text) > LONGEST or not text.isprintable():
            message = f"{name} is too long, or has characters that cannot be part of it"
            raise errors.AnswerError(400, "malformed", message)
        if name.startswith(PARAM):
            params[name.removeprefix(PARAM)] = text
        elif name in PLAIN:
            values[name] = text
    return Chosen(values, params)
