"""What is wrong with live progress, for `waggle status` and `waggle doctor`: what, and why."""

from collections.abc import Sequence
from typing import Any

from db import overview
from db.runs_listed import Trouble
from worker.cli import output

STALE = "not heard of for 5 minutes"
GIVEN_UP = "the stream was given up, the run is read instead"
# Where the words "Live progress" stand in docs/sources.md.
SECTION = "docs/sources.md, Live progress"
STALE_REMEDY = (
    "does `waggle up` or `waggle progress` run, and does the source answer? One with a long "
    f"`progress_poll` is read no oftener ({SECTION})"
)
GIVEN_UP_REMEDY = (
    "correct `progress_url` or `progress_auth` in the file, then `waggle apply`; runs that begin "
    f"after it use it ({SECTION})"
)


def told(found: Sequence[Trouble], what: str) -> str:
    """Which runs, and why where somebody knows."""
    return f"{output.some([_told(one) for one in found], at_most=3)}: {what}"


def document(found: Sequence[Trouble]) -> list[dict[str, Any]]:
    """The same for scripts; `since`: when the run was heard of last."""
    return [
        {
            "run": one.run,
            "source": one.source,
            "reason": one.why,
            "since": overview.iso(one.since),
        }
        for one in found
    ]


def _told(one: Trouble) -> str:
    why = f" ({output.plain(one.why)})" if one.why else ""
    return f"run {output.plain(one.run)} of {one.source}{why}"
