"""How pages say times, numbers and states."""

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any

from db import names

MINUTE, HOUR, DAY = 60, 3600, 86400

STATES = {
    "active": "in step",
    "paused": "paused",
    "failing": "needs attention",
    "stopped": "stopped",
    "received": "waiting",
    "working": "being worked on",
    "done": "done",
    "failed": "failed",
    "dead": "given up",
    "pending": "to be sent",
    "held": "waits for approval",
    "landed": "on the goal",
    "rejected": "refused by Beeminder",
    "withdrawn": "withdrawn",
    "running": "running",
    "completed": "completed",
    "partially_failed": "partly failed",
    "skipped": "skipped",
    "cancelled": "cancelled",
    "reauthorize": "has to connect again",
    "deauthorized": "took access back",
}
STREAMS = {
    "none": "read every few seconds",
    "open": "live",
    "retrying": "connecting again",
    "given_up": "given up, read instead",
}
SOURCES = {
    "active": "works",
    "failing": "does not answer",
    "reauthorize": "login needed",
}
KINDS = {
    "autofetch": "Beeminder asked",
    "reminder": "reminder",
    "sync": "a person asked",
    "deauthorized": "app removed",
}


def state(word: str) -> str:
    """A state in words; one that is new to this page is shown as it is."""
    return STATES.get(word, word)


def source_state(word: str) -> str:
    """How a source is, in words."""
    return SOURCES.get(word, word)


def stream(word: str) -> str:
    """What the stream of a run does, in words."""
    return STREAMS.get(word, word)


def percent(fraction: float | None) -> str:
    """`42 %`, rounded down: what is not done is never shown as done; empty for None."""
    return "" if fraction is None else f"{int(100 * min(1.0, max(0.0, fraction)) + 1e-9)} %"


def steps(counters: Mapping[str, Any]) -> str:
    """`2 of 5 steps, at load`; empty where nothing of it is known."""
    done, total, step = (counters.get(name) for name in ("steps_done", "steps_total", "step"))
    found = []
    if done is not None:
        of = "" if total is None else f" of {total}"
        found.append(f"{done}{of} step{'' if (total or done) == 1 else 's'}")
    if step is not None:
        found.append(f"at {step}")
    return ", ".join(found)


def kind(word: str) -> str:
    """What came in, in words."""
    return KINDS.get(word, word)


def ago(at: float | None, now: float) -> str:
    """How long ago, or in how long, roughly; `never` for None."""
    if at is None:
        return "never"
    seconds = abs(now - at)
    for size, name in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min")):
        if seconds >= size:
            text = f"{seconds // size:.0f} {name}"
            break
    else:
        text = f"{seconds:.0f} s"
    return f"{text} ago" if at <= now else f"in {text}"


def instant(at: float | None) -> str:
    """ISO 8601 UTC to the second; empty for None."""
    return "" if at is None else f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"


def local(at: float | None, zone: tzinfo) -> str:
    """`Mon 23 Nov, 14:05` in this zone; empty for None."""
    return "" if at is None else f"{datetime.fromtimestamp(at, zone):%a %-d %b, %H:%M}"


def exact(at: float | None, zone: tzinfo) -> str:
    """`2026-11-23 14:05:09 CET` in this zone, for who wants to know exactly; empty for None."""
    return "" if at is None else f"{datetime.fromtimestamp(at, zone):%Y-%m-%d %H:%M:%S %Z}"


def lasted(seconds: float | None) -> str:
    """`1.2 s`, `45 s`, `3 min 20 s`: how long something took; empty for None."""
    if seconds is None:
        return ""
    if seconds < 10:  # noqa: PLR2004 -- below that, tenths tell something
        return f"{max(0.0, seconds):.1f} s"
    whole = round(seconds)
    if whole < MINUTE:
        return f"{whole} s"
    if whole < HOUR:
        return f"{whole // MINUTE} min {whole % MINUTE} s"
    return f"{whole // HOUR} h {whole % HOUR // MINUTE} min"


def pace(interval: float) -> str:
    """`48/s`, `12/min`, `3/h`: one every so many seconds, so that nobody counts zeros."""
    for seconds, unit in ((1, "s"), (MINUTE, "min")):
        if seconds >= interval:
            return f"{seconds / interval:.3g}/{unit}"
    return f"{HOUR / interval:.3g}/h"


def number(value: float | None) -> str:
    """As short as it is exact enough to recognise."""
    return "" if value is None else f"{value:.10g}"


def day(daystamp: str | None) -> str:
    """`20261122` as `2026-11-22`."""
    if daystamp is None:
        return ""
    return names.dashed(daystamp)


def short_day(daystamp: str) -> str:
    """`20261122` as `22 Nov`, for where there is little room."""
    return f"{datetime.strptime(daystamp, '%Y%m%d'):%-d %b}"  # noqa: DTZ007 -- a day, no instant
