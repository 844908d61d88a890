"""The beat table. Every entry is a bell that may ring late, twice, or from several at once."""

from collections.abc import Callable
from typing import Any

SWEEP_SECONDS = 1.0


def _bell(task: str, queue: str, every: float) -> dict[str, Any]:
    # A bell that nobody heard in time is worth nothing: the next one says the same.
    return {
        "task": f"waggle.{task}",
        "schedule": every,
        "options": {"queue": queue, "expires": max(10.0, 2 * every)},
    }


BELLS = {
    "sweep": _bell("sweep", "urgent", SWEEP_SECONDS),
    "refresh_tokens": _bell("refresh_tokens", "default", 30.0),
    "watch": _bell("watch", "default", 60.0),
    "canary": _bell("canary", "default", 60.0),
    "housekeeping": _bell("housekeeping", "default", 3600.0),
}


def bells(name: Callable[[str], str]) -> dict[str, dict[str, Any]]:
    """The table of a broker where the queue of a lane has this `name`."""
    return {
        entry: bell | {"options": bell["options"] | {"queue": name(bell["options"]["queue"])}}
        for entry, bell in BELLS.items()
    }
