"""How pages say times, numbers and states."""

from datetime import UTC, datetime

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


def number(value: float | None) -> str:
    """As short as it is exact enough to recognise."""
    return "" if value is None else f"{value:.10g}"


def day(daystamp: str | None) -> str:
    """`20261122` as `2026-11-22`."""
    if daystamp is None:
        return ""
    return names.dashed(daystamp)
