"""Asking Beeminder what its pages do not say, on a goal that may be thrown away.

The answer to a refusal is what is asked for here, so it is handed over and not raised.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from clients.beeminder import BeeminderClient
from clients.errors import Permanent
from clients.http import Route

_GOAL = r"users/me/goals/[A-Za-z0-9_-]+"


@dataclass(frozen=True, slots=True)
class Heard:
    """An answer as it came: the status, and the body as JSON (None where it was none)."""

    status: int
    body: Any


class BeeminderProbe(BeeminderClient):
    """One person's Beeminder, asked for one goal. Nothing that charges or moves a line."""

    allowed: ClassVar[Sequence[Route]] = tuple(
        (method, re.compile(pattern + r"\.json"))
        for method, pattern in (
            ("GET", "users/me"),
            ("GET", _GOAL),
            ("PUT", _GOAL),
            ("GET", f"{_GOAL}/refresh_graph"),
            ("GET", f"{_GOAL}/datapoints"),
            ("POST", f"{_GOAL}/datapoints"),
            ("POST", f"{_GOAL}/datapoints/create_all"),
            ("DELETE", f"{_GOAL}/datapoints/[A-Za-z0-9]+"),
        )
    )

    def hear(self, method: str, path: str, form: Mapping[str, Any] | None = None) -> Heard:
        """Ask for a path of the list above; a refusal is an answer.

        Raises the transient errors of `clients.errors`: a limit or an outage says nothing.
        """
        fields = {
            name: given if isinstance(given, str) else json.dumps(given)
            for name, given in (form or {}).items()
        }
        try:
            answer = self._request(method, f"{path}.json", form=fields or None)
        except Permanent as refusal:
            if refusal.status is None:  # it never left
                raise
            return Heard(refusal.status, refusal.details)
        return Heard(answer.status, answer.json() if answer.body.strip() else None)
