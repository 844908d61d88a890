"""What should be at Beeminder, given what the source said. Pure: no clock, no database, no wire."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from db.outbox import Point
from tasks import identity, shapes
from tasks.days import Window
from tasks.fit import Shape
from tasks.providers import Reading, Record, ValueKind

DEFAULT_COMMENT = "{value} {unit} from {source}"
COMMENT_LENGTH = 200
DO_LESS_YAW = -1
LAST_MINUTES = 15 * 60

# Beeminder's engine obeys these in a comment; a space takes their power and leaves the text.
ORDERS = re.compile(
    r"([#@])(?=(?:DERAIL|SELFDESTRUCT|THISWILLSELFDESTRUCT|RESTART|TARE|ARCHIVE))", re.IGNORECASE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What decides about a feed's points, all of it known before anything is asked."""

    digest: str
    kind: ValueKind
    history: bool
    source: str
    goal: str
    metric: str
    shape: Shape = Shape.AS_IS
    comment: str = DEFAULT_COMMENT
    zeros: bool = True
    odom: bool = False
    yaw: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What the ledger knows of the days that are decided.

    `there`: daystamps with a value of ours at Beeminder. `read`: what the source said of a day when
    it was asked last. `ids`: the requestid under which a day is there already, which it keeps when
    a parameter changes. `before`: what stood before the first day, see `tasks.shapes.make`.
    """

    there: frozenset[str] = frozenset()
    read: Mapping[str, Reading] = field(default_factory=dict)
    pinned: frozenset[str] = frozenset()
    ids: Mapping[str, str] = field(default_factory=dict)
    before: float | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """One day: what the source said, the points that should be there, and why, or why there are
    none.
    """

    day: Window
    reading: Reading
    points: tuple[Point, ...]
    why: str

    @property
    def value(self) -> float | None:
        """What the day comes to at Beeminder, None when nothing is sent."""
        return math.fsum(point.value for point in self.points) if self.points else None


def decide(
    rules: Rules,
    windows: Sequence[Window],
    readings: Mapping[str, Reading],
    *,
    now: float,
    past: Past | None = None,
) -> list[Verdict]:
    """A verdict per day, oldest first."""
    past = past or Past()
    said = [_said(rules, window, readings, past, now) for window in windows]
    made = shapes.make(rules.shape, rules.kind, said, before=past.before)
    return [
        _day(rules, window, reading, value, now, past)
        for window, reading, value in zip(windows, said, made, strict=True)
    ]


def _said(
    rules: Rules, day: Window, readings: Mapping[str, Reading], past: Past, now: float
) -> Reading:
    """What the source says of a day, or said when that was counted."""
    reading = _tidied(readings.get(day.daystamp, Reading(None)))
    before = past.read.get(day.daystamp)
    if not rules.history and day.ends_at <= now:
        return before or Reading(None, note="it was not read on this day, and can't be any more")
    # The next day builds on this one. What was counted for it already must not count twice, nor be
    # missing, because the source does not know of it any more.
    if before is None or not rules.shape.builds or reading.value is not None:
        return reading
    return before if day.daystamp in past.there else reading


def _tidied(reading: Reading) -> Reading:
    if reading.value is None or not math.isfinite(reading.value):
        return replace(reading, value=None, records=())
    return replace(reading, value=shapes.tidy(reading.value))


def _day(
    rules: Rules, day: Window, reading: Reading, made: shapes.Made, now: float, past: Past
) -> Verdict:
    today = day.starts_at <= now < day.ends_at
    why_not = _nothing(rules, day, reading, made, past, today=today, now=now)
    if why_not is not None:
        return Verdict(day, reading, (), why_not)
    why = "the value of today so far" if today else "a finished day"
    if made.note:
        why = f"{why}: {made.note}"
    if rules.shape == Shape.EVENTS:
        points = tuple(_event(rules, reading, record, day) for record in reading.records)
        return Verdict(day, reading, points, why if points else "nothing happened on this day")
    value = made.value or 0.0
    requestid = past.ids.get(day.daystamp) or identity.requestid(rules.digest, day.daystamp)
    point = Point(
        requestid=requestid,
        value=value,
        comment=comment(rules, reading, value, day),
        daystamp=day.daystamp,
    )
    return Verdict(day, reading, (point,), why)


def _nothing(
    rules: Rules,
    day: Window,
    reading: Reading,
    made: shapes.Made,
    past: Past,
    *,
    today: bool,
    now: float,
) -> str | None:
    """Why nothing is sent for this day, None when something is."""
    if day.daystamp in past.pinned:
        return "pinned by a person: left as it is"
    if made.value is None:
        return made.note or reading.note or "nothing was measured"
    if rules.shape == Shape.EVENTS:
        return None
    if made.value == 0.0 and rules.odom:
        return "on an odometer goal a zero is a reset: never sent"
    happened = made.value if rules.shape == Shape.DIFFERENCE else reading.value
    counts = rules.kind in ("total", "events") or rules.shape == Shape.DIFFERENCE
    return _no_zero(rules, day, past, today=today, now=now) if counts and not happened else None


def _no_zero(rules: Rules, day: Window, past: Past, *, today: bool, now: float) -> str | None:
    if today:
        if rules.yaw == DO_LESS_YAW and now >= day.ends_at - LAST_MINUTES:
            return None
        return "today's zero is not sent: there may be something yet"
    if rules.zeros or day.daystamp in past.there:
        return None
    return "zeros are left out (zeros = false)"


def _event(rules: Rules, reading: Reading, record: Record, day: Window) -> Point:
    value = shapes.tidy(record.value)
    return Point(
        requestid=identity.requestid(rules.digest, record.id),
        value=value,
        comment=comment(rules, reading, value, day),
        daystamp=day.daystamp,
        timestamp=int(record.at),
    )


def comment(rules: Rules, reading: Reading, value: float, day: Window) -> str:
    """The comment of a point, without words that Beeminder's engine would obey.

    `{value}` is what the source said of the day; for a running total that is not what is sent.
    """
    shown = reading.value if rules.shape in (Shape.RUNNING, Shape.DIFFERENCE) else value
    shown = value if shown is None else shown
    text = rules.comment.format_map(
        {
            "value": f"{shown:g}" if abs(shown) < 1e6 else f"{shown:.12g}",  # noqa: PLR2004
            "unit": reading.unit or "",
            "source": rules.source,
            "goal": rules.goal,
            "metric": rules.metric,
            "day": day.daystamp,
        }
    )
    return neutral(" ".join(text.split()))[:COMMENT_LENGTH]


def neutral(text: str) -> str:
    """Any text, with the words that command Beeminder's engine taken apart."""
    printable = "".join(char if char.isprintable() else " " for char in text)
    return ORDERS.sub(r"\1 ", printable)
