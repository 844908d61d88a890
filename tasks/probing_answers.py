"""What a probe asks with, and what it writes down: nothing of it names anybody."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from clients.beeminder_probe import BeeminderProbe, Heard

LONGEST = 300
HIDDEN = "…"


@dataclass(frozen=True, slots=True)
class Answer:
    """`value` None: unknown. `simulated`: the simulator has a setting of this name for it."""

    value: Any
    evidence: str
    simulated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A goal that is asked about, and what hides whose it is."""

    probe: BeeminderProbe
    stranger: BeeminderProbe
    goal: str
    names: tuple[str, ...]
    sleep: Callable[[float], None]
    prefix: str
    app_name: str | None = None

    def hear(self, method: str, path: str, form: Mapping[str, Any] | None = None) -> Heard:
        """Ask, as `BeeminderProbe.hear`."""
        return self.probe.hear(method, path, form)

    def fields(self, name: str) -> dict[str, Any]:
        """A datapoint of ours by this name."""
        return {"value": 1.0, "comment": "waggle probe", "requestid": f"{self.prefix}-{name}"}

    def write(self, fields: Mapping[str, Any]) -> Heard:
        """Write one datapoint."""
        return self.hear("POST", f"{self.goal}/datapoints", fields)

    def find(self, requestid: str) -> dict[str, Any] | None:
        """The datapoint of this id, as it stands there."""
        there: list[dict[str, Any]] = self.hear("GET", f"{self.goal}/datapoints").body or []
        return next((point for point in there if point.get("requestid") == requestid), None)

    def shown(self, heard: Heard) -> str:
        """An answer as evidence: status and body, cut, without anybody's name."""
        text = json.dumps(heard.body, ensure_ascii=False)
        return f"{heard.status} {self.redacted(text)[:LONGEST]}"

    def redacted(self, text: str) -> str:
        """The same without the names of person and goal, and without the token."""
        for name in self.names:
            text = text.replace(name, HIDDEN)
        return text
