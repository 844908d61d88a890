"""Values of the RIME API, read with tolerance: the vendor does not publish names of fields.

https://rimedata.io/docs/api/overview names the words that the pages for people show; the names
tried here are the usual spellings of them, and a JSON pointer may say where a value really is.
What is wrong with a run is kept beside it: it matters only where the run counts.
"""

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Literal

from clients import json_pointer
from clients.answers import Answer

Outcome = Literal["succeeded", "partial", "failed", "skipped", "cancelled", "open", "unknown"]
Name = Literal["id", "status", "rows", "started", "ended"]
NAMES: tuple[Name, ...] = ("id", "status", "rows", "started", "ended")

ALIASES: Mapping[Name, tuple[str, ...]] = {
    "id": ("id", "run_id", "runId", "uuid"),
    "status": ("status", "state"),
    "rows": (
        *("total_rows", "totalRows", "rows_extracted", "rowsExtracted"),
        *("rows", "row_count", "rowCount"),
    ),
    "started": ("started_at", "start_time", "startedAt", "startTime", "created_at", "createdAt"),
    "ended": (
        *("completed_at", "finished_at", "ended_at", "end_time"),
        *("completedAt", "finishedAt", "endedAt", "endTime"),
    ),
}
_OUTCOMES: Mapping[str, Outcome] = {
    **dict.fromkeys(("completed", "succeeded", "success"), "succeeded"),
    **dict.fromkeys(("failed", "timedout", "error"), "failed"),
    **dict.fromkeys(("cancelled", "canceled"), "cancelled"),
    **dict.fromkeys(("running", "pending", "queued", "retrying", "inprogress"), "open"),
    **dict.fromkeys(("created", "scheduled", "starting", "started", "waiting"), "open"),
    "partiallyfailed": "partial",
    "skipped": "skipped",
}
_MILLISECONDS = 1e11  # as seconds the year 5138, as milliseconds 1973
_EARLIEST = 631_152_000.0  # 1990: what lies before is a zero that stands for "none"
_LATEST = 4e9  # 2096
_MOST_ROWS = 1e15  # beyond it a float drops rows
_DIGITS = re.compile(r"[0-9]{1,15}")
_SHOWN = 40


@dataclasses.dataclass(frozen=True, slots=True)
class Thing:
    """A project, a connector or a pipeline. `state` "" where none is told."""

    id: str
    name: str = ""
    state: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run of a connector or a pipeline.

    `status` as the vendor wrote it. `rows`: so many were extracted. `started`, `ended`: UTC
    seconds. None: there is no such field, or what is in it can't be read; `wrong` says which.
    `request_id`: of the answer that it stood in.
    """

    id: str
    status: str
    outcome: Outcome
    rows: float | None = None
    started: float | None = None
    ended: float | None = None
    wrong: Mapping[Name, str] = dataclasses.field(default_factory=dict)
    request_id: str | None = None

    @property
    def is_over(self) -> bool:
        """Has it come to an end that we know the word for?"""
        return self.outcome not in ("open", "unknown")


@dataclasses.dataclass(frozen=True, slots=True)
class Fields:
    """Where the fields of a run are: `pointers` (see `json_pointer`) go before the usual names.

    `zone` is the one of times that name none.
    """

    pointers: Mapping[Name, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    zone: tzinfo = UTC

    def run(self, answer: Answer, item: object, *, place: str = "") -> Run:
        """A run as it stands in an answer, at `place`. UnexpectedResponse without id or status."""
        where = f"{place}." if place else ""
        if not isinstance(item, dict):
            raise answer.unexpected(f"field {place or 'the body'}: an object was due")
        run_id = _id(self._found(item, "id"))
        if run_id is None:
            raise answer.unexpected(f"field {where}{self.spelt('id')} is missing or no id")
        status = self._found(item, "status")
        if not isinstance(status, str) or not status.strip():
            which = f"{where}{self.spelt('status')} of run {run_id[:_SHOWN]}"
            raise answer.unexpected(f"field {which} is missing or no text")
        wrong: dict[Name, str] = {}
        return Run(
            id=run_id,
            status=status,
            outcome=outcome(status),
            rows=self._number(item, wrong),
            started=self._instant(item, "started", wrong),
            ended=self._instant(item, "ended", wrong),
            wrong=wrong,
            request_id=answer.request_id,
        )

    def spelt(self, name: Name) -> str:
        """How people find this field: its pointer, or the first of its usual names."""
        pointer = self.pointers.get(name)
        if pointer is None:
            return ALIASES[name][0]
        return "".join("/" + key.replace("~", "~0").replace("/", "~1") for key in pointer)

    def _found(self, item: Mapping[str, object], name: Name) -> object:
        pointer = self.pointers.get(name)
        if pointer is None:
            return _first(item, ALIASES[name])
        try:
            return json_pointer.resolve(item, pointer)
        except LookupError:
            return None

    def _number(self, item: Mapping[str, object], wrong: dict[Name, str]) -> float | None:
        value = self._found(item, "rows")
        if isinstance(value, str) and _DIGITS.fullmatch(value):
            value = int(value)
        if value is None:
            wrong["rows"] = f"field {self.spelt('rows')} is missing"
        elif isinstance(value, bool) or not isinstance(value, int | float):
            wrong["rows"] = f"field {self.spelt('rows')}: a number was due"
        elif not 0 <= value < _MOST_ROWS:
            wrong["rows"] = f"field {self.spelt('rows')} is no count of rows"
        else:
            return float(value)
        return None

    def _instant(
        self, item: Mapping[str, object], name: Name, wrong: dict[Name, str]
    ) -> float | None:
        value = self._found(item, name)
        if value is None:
            wrong[name] = f"field {self.spelt(name)} is missing"
            return None
        at = instant(value, self.zone)
        if at is None:
            wrong[name] = f"field {self.spelt(name)}: {str(value)[:_SHOWN]!r} is no instant"
        return at


def outcome(status: str) -> Outcome:
    """What a word of the vendor's comes to, in whatever spelling."""
    return _OUTCOMES.get(re.sub("[-_ ]", "", status.lower()), "unknown")


def instant(value: object, zone: tzinfo) -> float | None:
    """UTC seconds of an ISO 8601 time, or of a number of seconds or milliseconds; None: neither.

    `zone`: of a text that names none. Of an hour that a zone has twice it is the first.
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        at = _of_text(value.strip(), zone)
    elif isinstance(value, int | float) and abs(value) < 1e15:  # noqa: PLR2004 -- the year 33658
        at = value / 1000 if value >= _MILLISECONDS else float(value)
    else:
        return None
    return at if at is not None and _EARLIEST <= at <= _LATEST else None


def _of_text(text: str, zone: tzinfo) -> float | None:
    if "T" not in text and ":" not in text:
        if len(text) >= len("1234567890") and _DIGITS.fullmatch(text):
            return instant(int(text), zone)
        return None  # a date is a whole day, and no instant
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo is not None else at.replace(tzinfo=zone)).timestamp()
    except (ValueError, OverflowError):
        return None


def things(answer: Answer, items: Sequence[object], *, kind: str) -> list[Thing]:
    """Projects, connectors or pipelines of a list. UnexpectedResponse for one without an id."""
    return [
        thing(answer, item, kind=kind, place=f"data.{number}") for number, item in enumerate(items)
    ]


def thing(answer: Answer, item: object, *, kind: str, place: str = "") -> Thing:
    """One of them. `kind`: "project", "connector" or "pipeline"."""
    if not isinstance(item, dict):
        raise answer.unexpected(f"field {place or 'the body'}: an object was due")
    found = _id(_first(item, ("id", f"{kind}_id", f"{kind}Id", "uuid")))
    if found is None:
        raise answer.unexpected(f"field {place}{'.' if place else ''}id is missing or no id")
    name, state = _first(item, ("name", "title", "display_name")), _first(item, ("state", "status"))
    return Thing(
        found,
        name if isinstance(name, str) else "",
        state if isinstance(state, str) else "",
    )


def _first(item: Mapping[str, object], names: Iterable[str]) -> object:
    """The first of these fields that is there and no null."""
    return next((item[name] for name in names if item.get(name) is not None), None)


def _id(value: object) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and value.strip() else None
