"""What needs a person, with the one thing to do about it. Pure."""

import re
from dataclasses import dataclass

from db import approvals, backfills, names, needs, resting, sources
from db.needs import Need
from webhooks import standing
from webhooks.standing import CONNECT, SOURCES, Todo

# What the commands are told and the pages have a button for.
COMMAND = re.compile(r"[;,.]?\s*(?:and\s+)?`waggle approve [^`]*` sends it.*$")
FILE = re.compile(r"[;,.]?\s*correct the credentials in the file, then `waggle apply`.*$")
OF_SOURCES = ("key_ends", "breaker", "recovered", sources.RENEWAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Needed:
    """`path` is the page of what it is about, if there is one; `since` in UTC seconds."""

    subject: str
    text: str
    path: str | None = None
    since: float | None = None
    urgent: bool = False
    todo: Todo | None = None


def by(need: Need, *, beeminder: str) -> Needed:
    """A notice with what to do about it. `beeminder`: where goals have their pages."""
    path = None if need.place is None else standing.path(*need.place)
    text = need.message
    if need.kind == approvals.HELD:  # the page has buttons for what the command does
        text = COMMAND.sub("", text)
    return Needed(
        subject=need.subject,
        text=text,
        path=path or (SOURCES if need.about.startswith("source:") else None),
        since=need.since,
        urgent=need.kind == needs.RED,
        todo=_todo(need, path, beeminder),
    )


def _todo(need: Need, path: str | None, beeminder: str) -> Todo | None:
    if path is None or need.place is None:
        return Todo("Look at your sources", SOURCES) if need.kind in OF_SOURCES else None
    return {
        approvals.HELD: Todo("Decide", f"{path}#held"),
        needs.RED: Todo("Sync now", f"{path}/sync", sends=True),
        resting.SET_ASIDE: Todo("Try again", f"{path}/resume", sends=True),
        resting.NOTICE: Todo(
            "Look at it at Beeminder", f"{beeminder}/{need.place[0]}/{need.place[1]}"
        ),
        backfills.NOTICE: Todo("Past days", f"{path}#past"),
        "unfit": Todo("Look at the feed", path),
        "datasource": Todo("Look at the feed", path),
    }.get(need.kind)


def signed_out(username: str, *, can_connect: bool) -> Needed:
    """Beeminder refuses this person's token."""
    text = "Beeminder refuses the token, so nothing is read or sent."
    if not can_connect:
        text += " Put a new one into the file, then `waggle apply` it."
    todo = Todo("Sign in at Beeminder again", CONNECT) if can_connect else None
    return Needed(subject=username, text=text, urgent=True, todo=todo)


def refused(name: str, username: str, error: str | None) -> Needed:
    """A source refuses what we log in with."""
    return Needed(
        subject=names.source_name(username, name),
        text=FILE.sub("", error or "") or "it refuses its login, so nothing is read from it.",
        path=SOURCES,
        urgent=True,
        todo=Todo("Give it its login again", SOURCES),
    )
