"""A line of log from where logging is not set up, or would be too much to carry."""

import json
import sys
from datetime import UTC, datetime


def warn(message: str, *, form: str, process: str) -> None:
    """To stderr: the message alone, or as a line of JSON like all others where `form` is `json`."""
    if form == "json":
        now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        message = json.dumps(
            {
                "event": "process.told",
                "message": message,
                "level": "warning",
                "process": process,
                "timestamp": now,
            }
        )
    print(message, file=sys.stderr, flush=True)  # noqa: T201 -- there is no logger here
