"""The paths of RIME's API that may be read, and the ids in them.

https://docs.rimedata.io/api/reference; where its two forms differ, and for pipelines, whose paths
are not published, a template says where the runs are.
"""

import re
import urllib.parse
from typing import Literal

from clients import errors

Kind = Literal["connector", "pipeline"]

RUNS: dict[Kind, str] = {
    "connector": "projects/{project}/connectors/{connector}/runs",
    "pipeline": "projects/{project}/pipelines/{pipeline}/runs",
}
# What starts something at the source, or is about a login.
_NEVER = frozenset({"apply", "auth", "cancel", "plan", "retry", "rollback", "sync", "test"})
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_LITERAL = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")
_UNFOLDED = re.compile(r"[/\\%\x00-\x1f\x7f]")
# A quoted id. Neither dots alone, nor what a server might unfold into a slash, a dot or a percent.
_ID = r"(?!\.+(?:/|$))(?:[A-Za-z0-9_.~-]|%(?!2[eEfF5]|5[cC]|[01]|7[fF])[0-9A-Fa-f]{2})+"


def readable() -> tuple[re.Pattern[str], ...]:
    """Everything but the runs that can be read."""
    return tuple(
        re.compile(pattern, re.ASCII)
        for pattern in (
            f"projects(?:/{_ID})?",
            f"projects/{_ID}/(?:connectors|pipelines)(?:/{_ID})?",
        )
    )


def endpoints(*templates: str) -> tuple[str, ...]:
    """Every kind of path that may be read, `*` for each id, with the runs of these templates."""
    lists = ["projects", "projects/*/connectors", "projects/*/pipelines"]
    lists += ["/".join(_parts(_PLACEHOLDER.sub("*", template))) for template in templates]
    return tuple(path for one in lists for path in (one, f"{one}/*"))


def runs_pattern(template: str) -> re.Pattern[str]:
    """What the list of runs of such a template, and one run of it, look like."""
    parts = [_ID if _PLACEHOLDER.fullmatch(part) else re.escape(part) for part in _parts(template)]
    return re.compile(f"{'/'.join(parts)}(?:/{_ID})?", re.ASCII)


def checked(template: str, kind: Kind) -> str:
    """A template of the list of runs, without slashes around it.

    ValueError for one that leaves out whose runs they are, or leads to anything but a list.
    """
    parts = _parts(template)
    names = [match[1] for part in parts if (match := _PLACEHOLDER.fullmatch(part))]
    if kind not in names or len(names) != len(set(names)) or set(names) - {"project", kind}:
        raise ValueError(
            f"has to hold {{{kind}}} once, and may hold {{project}}, such as {RUNS[kind]}"
        )
    for part in parts:
        if not _PLACEHOLDER.fullmatch(part) and not _LITERAL.fullmatch(part):
            raise ValueError(f"has to be a path below the address, such as {RUNS[kind]}")
        if part.lower() in _NEVER:
            raise ValueError(f"may not lead to {part}: runs are only read")
    if _PLACEHOLDER.fullmatch(parts[-1]):
        raise ValueError(f"has to end with the name of the list, such as {RUNS[kind]}")
    return "/".join(parts)


def runs(template: str, kind: Kind, *, project: str, of: str) -> str:
    """The path of the runs of one connector or pipeline."""
    values = {"project": project, kind: of}
    return _PLACEHOLDER.sub(lambda match: segment(values[match[1]]), template)


def refresh(path: str) -> str:
    """The path where tokens are refreshed, without slashes around it; ValueError for no path."""
    parts = _parts(path)
    if not all(_LITERAL.fullmatch(part) for part in parts):
        raise ValueError("has to be a path below the address, such as auth/refresh")
    return "/".join(parts)


def segment(found: str) -> str:
    """An id as one part of a path. Rejected for one that a server might take for several."""
    if not found or not found.strip(".") or _UNFOLDED.search(found):
        raise errors.Rejected(f"{found[:40]!r} can't be an id at RIME", reason="bad_id")
    return urllib.parse.quote(found, safe="")


def _parts(path: str) -> list[str]:
    return path.strip().strip("/").split("/")
