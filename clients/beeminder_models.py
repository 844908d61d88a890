"""Values of the Beeminder API: only the fields we use, unknown ones are ignored.

Times are Unix seconds. Field by field: https://api.beeminder.com/#goal
"""

import dataclasses
import math
import re
from typing import Literal

import pydantic

_DAYSTAMP = re.compile(r"[0-9]{8}")

TokenKind = Literal["personal", "oauth"]
WrittenStatus = Literal["created", "updated", "duplicate"]
RoadRow = tuple[float | None, float | None, float | None]


@dataclasses.dataclass(frozen=True, slots=True)
class Token:
    """A person's key to their account; the kind decides where it travels."""

    kind: TokenKind
    value: str = dataclasses.field(repr=False)

    def __post_init__(self) -> None:
        if self.kind not in ("personal", "oauth"):
            raise ValueError("a Beeminder token is personal or oauth")
        if not re.fullmatch(r"[!-~]+", self.value):
            raise ValueError("a Beeminder token is printable ASCII without spaces")


@dataclasses.dataclass(frozen=True, slots=True)
class User:
    """A person. `updated_at` moves with any change to the person, a goal or a datapoint.

    Each of these must be there: without a time zone no value has a day, and UTC would be a guess
    that puts it on a wrong one.
    """

    id: str
    username: str
    timezone: str
    updated_at: int


@dataclasses.dataclass(frozen=True, slots=True)
class Goal:
    """A goal. `deadline`: seconds after midnight, negative before it; `yaw`: the good side.

    What decides about money is None where Beeminder does not say it: nothing is guessed.
    """

    id: str
    slug: str
    title: str | None = None
    deadline: int = 0
    yaw: int | None = None
    dir: int | None = None
    kyoom: bool | None = None
    aggday: str | None = None
    odom: bool = False
    autodata: str | None = None
    gunits: str | None = None
    runits: str | None = None
    goal_type: str | None = None
    frozen: bool = False
    won: bool = False
    lost: bool = False
    losedate: int | None = None
    safebuf: int | None = None
    queued: bool = False
    updated_at: int | None = None
    curval: float | None = None
    todayta: bool = False
    initday: int | None = None
    archivedate: int | None = None

    def is_archived(self, now: float) -> bool:
        """Whether the goal is put away at `now`; a later date only announces that it will be."""
        return self.archivedate is not None and self.archivedate <= now


@dataclasses.dataclass(frozen=True, slots=True)
class GoalWithRoad(Goal):
    """A goal with its bright red line as rows of (time, value, rate), what was left out filled in.

    The first row is where the line starts; each other row ends a straight piece, and its rate is
    per `runits` of the goal. A row stands for a day: its time is noon in the person's zone. A cell
    that Beeminder could not fill in is None.
    """

    fullroad: list[RoadRow] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True, slots=True)
class Datapoint:
    """A datapoint as Beeminder holds it. `daystamp`: YYYYMMDD, the day it counts for."""

    id: str
    value: float
    daystamp: str
    timestamp: int
    requestid: str | None = None
    comment: str = ""
    updated_at: int | None = None
    is_dummy: bool = False
    is_initial: bool = False
    origin: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class NewDatapoint:
    """A datapoint to write; without `daystamp` and `timestamp` Beeminder takes the present."""

    value: float
    requestid: str
    comment: str = ""
    daystamp: str | None = None
    timestamp: int | None = None

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise ValueError("a datapoint's value must be a finite number")
        if not self.requestid:
            raise ValueError("a datapoint needs a requestid: without it a resend counts twice")
        if self.daystamp is not None and self.timestamp is not None:
            raise ValueError("a datapoint takes a daystamp or a timestamp, not both")
        if self.daystamp is not None and not _DAYSTAMP.fullmatch(self.daystamp):
            raise ValueError("a daystamp is YYYYMMDD")

    def fields(self) -> dict[str, str | float]:
        """The API's fields of this datapoint."""
        fields: dict[str, str | float] = {
            "value": self.value,
            "requestid": self.requestid,
            "comment": self.comment,
        }
        if self.daystamp is not None:
            fields["daystamp"] = self.daystamp
        if self.timestamp is not None:
            fields["timestamp"] = self.timestamp
        return fields


@dataclasses.dataclass(frozen=True, slots=True)
class Written:
    """What Beeminder says about a datapoint we sent.

    A duplicate may come without an `id`: that says only that its requestid was used before. Whether
    the point still stands where it was deleted in the meantime is not known then.
    `request_id`: Beeminder's name for the exchange (X-Request-Id), to quote when asking there.
    """

    requestid: str
    id: str | None
    status: WrittenStatus
    request_id: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class BatchOutcome:
    """What of a batch is confirmed, by requestid; the rest may or may not have been written.

    `request_id`: Beeminder's name for the exchange (X-Request-Id), None without one.
    """

    written: dict[str, Written] = dataclasses.field(default_factory=dict)
    errors: list[str] = dataclasses.field(default_factory=list)
    request_id: str | None = None


USER = pydantic.TypeAdapter(User)
GOAL = pydantic.TypeAdapter(Goal)
GOAL_WITH_ROAD = pydantic.TypeAdapter(GoalWithRoad)
GOALS = pydantic.TypeAdapter(list[Goal])
DATAPOINT = pydantic.TypeAdapter(Datapoint)
DATAPOINTS = pydantic.TypeAdapter(list[Datapoint])
QUEUED = pydantic.TypeAdapter(bool)
