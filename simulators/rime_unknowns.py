"""What RIME's pages leave open, as switches: a client has to live with each of their settings.

| switch | the page |
|---|---|
| `names`, `times`, `statuses` | names and forms of a run's fields are not published |
| `order` | no order of a list is documented |
| `end_cursor`, `has_more` | what stands on the last page is not said |
| `refresh_path`, `rotates`, `tells_expiry` | the part on refreshing is not published |
| `pipelines`, `short_paths` | paths of pipelines are not published; connectors have two forms |
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any, Literal, get_args
from zoneinfo import ZoneInfo

from simulators.rime_state import Run

Names = Literal["snake", "camel", "short", "nested"]
Times = Literal["iso", "offset", "naive", "epoch", "milliseconds"]
Statuses = Literal["lower", "title", "upper"]
Order = Literal["newest", "oldest", "shuffled"]
EndCursor = Literal["null", "absent", "empty", "repeated"]
HasMore = Literal["right", "absent", "always"]

_SPELT: dict[Names, dict[str, str]] = {
    "snake": {
        "id": "id",
        "status": "status",
        "rows": "total_rows",
        "started": "started_at",
        "ended": "completed_at",
    },
    "camel": {
        "id": "runId",
        "status": "state",
        "rows": "rowsExtracted",
        "started": "startedAt",
        "ended": "finishedAt",
    },
    "short": {
        "id": "uuid",
        "status": "status",
        "rows": "row_count",
        "started": "start_time",
        "ended": "end_time",
    },
}
_ZONE = "Pacific/Auckland"  # the vendor's default for schedules


@dataclass(slots=True, kw_only=True)
class Unknowns:
    """The switches; ValueError for a value that is none of theirs."""

    names: Names = "snake"
    times: Times = "iso"
    statuses: Statuses = "lower"
    order: Order = "newest"
    end_cursor: EndCursor = "null"
    has_more: HasMore = "right"
    refresh_path: str | None = "auth/refresh"
    rotates: bool = True
    tells_expiry: bool = True
    pipelines: bool = True
    short_paths: bool = False

    def set(self, **switches: Any) -> None:
        """Turn some of them."""
        known = {item.name: item for item in fields(self)}
        for name, value in switches.items():
            if name not in known:
                raise ValueError(f"there is no switch {name!r}; there are {sorted(known)}")
            choices = get_args(known[name].type)
            if choices and all(isinstance(one, str) for one in choices) and value not in choices:
                raise ValueError(f"{name} {value!r} is none of {', '.join(choices)}")
            setattr(self, name, value)

    def status(self, words: str) -> str:
        """A status of the pages as it goes over the wire."""
        spell: dict[Statuses, Callable[[str], str]] = {
            "lower": lambda text: text.lower().replace(" ", "_"),
            "title": str,
            "upper": lambda text: text.upper().replace(" ", "-"),
        }
        return spell[self.statuses](words)

    def time(self, instant: float | None) -> str | float | None:
        """An instant as it goes over the wire."""
        if instant is None:
            return None
        if self.times in ("epoch", "milliseconds"):
            return int(instant * 1000) if self.times == "milliseconds" else instant
        zone = UTC if self.times == "iso" else ZoneInfo(_ZONE)
        shown = datetime.fromtimestamp(instant, zone)
        if self.times == "naive":
            shown = shown.replace(tzinfo=None)
        text = shown.isoformat(timespec="milliseconds")
        return text.replace("+00:00", "Z") if self.times == "iso" else text

    def run(self, run: Run) -> dict[str, Any]:
        """A run as JSON."""
        values = {
            "id": run.id,
            "status": self.status(run.status),
            "rows": run.rows,
            "started": self.time(run.started_at),
            "ended": self.time(run.finished_at),
        }
        values = {name: value for name, value in values.items() if name not in run.hidden}
        rest = {
            "trigger": run.trigger,
            "attempt": run.attempt,
            "steps": [
                {
                    "id": step.id,
                    "name": step.name,
                    "state": self.status(step.state),
                    "rows": step.rows,
                    "started_at": self.time(step.started_at),
                    "ended_at": self.time(step.ended_at),
                }
                for step in run.steps
            ],
            **run.extra,
        }
        if self.names == "nested":
            return _nested(values) | rest
        return {_SPELT[self.names][name]: value for name, value in values.items()} | rest


def _nested(values: dict[str, Any]) -> dict[str, Any]:
    """A shape that only pointers lead through."""
    return {
        "run": {"key": values.get("id")},
        "result": {"phase": values.get("status")},
        "summary": {"tables": [{"rows": 1}], "total/rows": values.get("rows")},
        "timing": [values.get("started"), values.get("ended")],
    }
