"""What should be at Beeminder, given what the source said. Pure: no clock, no database, no wire."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from db.outbox import Point
from tasks import days, identity
from tasks.days import Window
from tasks.providers import Reading, ValueKind

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
    comment: str = DEFAULT_COMMENT
    zeros: bool = True
    odom: bool = False
    yaw: int | None = None
    kyoom: bool = True


@dataclass(frozen=True, slots=True)
class Verdict:
    """One day: the point that should be there, or why there is none."""

    day: Window
    reading: Reading
    point: Point | None
    why: str


def days_to_read(
    now: float,
    *,
    tz: ZoneInfo,
    deadline: int,
    lookback: int,
    since: str | None,
    known: Mapping[str, Window],
) -> tuple[Window, ...]:
    """Today and the `lookback` days before it, never before `since`, oldest first.

    `known` are the days with the bounds they had when they were read. Finished ones keep them,
    and the first day after a change of zone or deadline starts where the last one ended.
    """
    today = days.parse(days.day_of(now, tz, deadline))
    first = today - timedelta(days=lookback)
    if since is not None:
        first = max(first, days.parse(since))
    return tile(days.windows(first, today, tz, deadline), known, now, before=first)


def tile(
    computed: Sequence[Window], known: Mapping[str, Window], now: float, *, before: date
) -> tuple[Window, ...]:
    """Lay days end to end: what is finished stays as it was, what follows joins on."""
    previous = known.get(days.stamp(before - timedelta(days=1)))
    end = previous.ends_at if previous is not None and previous.ends_at <= now else None
    tiled = []
    for window in computed:
        kept = known.get(window.daystamp)
        if kept is not None and kept.ends_at <= now:
            joined = kept
        elif end is None:
            joined = window
        else:
            joined = Window(window.daystamp, end, max(end, window.ends_at))
        tiled.append(joined)
        end = joined.ends_at
    return tuple(tiled)


def decide(
    rules: Rules,
    windows: Sequence[Window],
    readings: Mapping[str, Reading],
    *,
    now: float,
    landed: Mapping[str, float],
) -> list[Verdict]:
    """A verdict per day. `landed` are the values we have at Beeminder by daystamp."""
    return [
        _day(rules, window, readings.get(window.daystamp, Reading(None)), now, landed)
        for window in windows
    ]


def _day(
    rules: Rules, day: Window, reading: Reading, now: float, landed: Mapping[str, float]
) -> Verdict:
    value = reading.value
    if value is None or not math.isfinite(value):
        return Verdict(day, reading, None, reading.note or "nothing was measured")
    value = float(f"{value:.12g}")  # 0.1 + 0.2 is 0.3 on somebody's goal
    reading = replace(reading, value=value)
    today = day.starts_at <= now < day.ends_at
    if rules.kind == "level" and not rules.history and not today:
        return Verdict(day, reading, None, "a level counts for the day in which it was read")
    if value == 0.0 and day.daystamp not in landed:
        why_not = _no_zero(rules, day, today=today, now=now)
        if why_not:
            return Verdict(day, reading, None, why_not)
    if value == 0.0 and rules.odom:
        return Verdict(day, reading, None, "on an odometer goal a zero is a reset: never sent")
    point = Point(
        requestid=identity.requestid(rules.digest, day.daystamp),
        value=value,
        comment=comment(rules, reading, value, day),
        daystamp=day.daystamp,
    )
    return Verdict(day, reading, point, "the value of today so far" if today else "a finished day")


def _no_zero(rules: Rules, day: Window, *, today: bool, now: float) -> str | None:
    if rules.kind != "total":
        return None
    if today:
        do_less = rules.yaw == DO_LESS_YAW
        if do_less and now >= day.ends_at - LAST_MINUTES:
            return None
        return "today's zero is not sent: there may be something yet"
    return None if rules.zeros else "zeros are left out (zeros = false)"


def comment(rules: Rules, reading: Reading, value: float, day: Window) -> str:
    """The comment of a point, without words that Beeminder's engine would obey."""
    text = rules.comment.format_map(
        {
            "value": f"{value:g}" if abs(value) < 1e6 else f"{value:.12g}",  # noqa: PLR2004
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
