"""What people are told, in words. Pure: messages in, one text out, however many there are.

Five hundred feeds that fail at once are one line with a number, and the first few by name.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

SHOWN = 5  # of one topic, by name
LONGEST_LINE = 400
LONGEST = 3000  # characters of a text: some services take little more
SHORTEST_SECRET = 4
OVER = ".over"  # after a topic: that it is over

# What urges most comes first. Each: of one, of several.
TOPICS: Mapping[str, tuple[str, str]] = {
    "failing_red": (
        "derails today, and its data is not there",
        "goals derail today, and their data is not there",
    ),
    "held": ("has a correction that waits for you", "feeds have corrections that wait for you"),
    "link": ("has to connect again", "people have to connect again"),
    "login": ("refuses Waggle's login", "sources refuse Waggle's login"),
    "set_aside": ("is set aside", "feeds are set aside"),
    "breaker": ("does not answer", "do not answer"),
    "late": ("has no fresh data", "feeds have no fresh data"),
    "datasource": ("is fed by something else", "goals are fed by something else"),
    "key_ends": ("has a key that ends", "sources have keys that end"),
    "limited": ("waits for a long limit", "wait for long limits"),
    "put_off": ("is put off by a limit", "are put off by limits"),
    "resting": ("takes no data for now", "goals take no data for now"),
    "edited": ("was edited by somebody", "days were edited by somebody"),
    "deleted": ("lost a datapoint", "datapoints were deleted"),
    "units": ("counts in other units", "feeds count in other units"),
    "backfill": ("could not be read again", "backfills stopped"),
    "renewal": ("is not renewed ahead of time", "sources are not renewed ahead of time"),
    "house": ("needs its operator", "things need the operator of this Waggle"),
}
ENDS: Mapping[str, tuple[str, str]] = {
    "failing_red": ("has its data", "goals have their data"),
    "link": ("is connected again", "people are connected again"),
    "login": ("lets Waggle in again", "sources let Waggle in again"),
    "breaker": ("answers again", "answer again"),
    "late": ("has fresh data again", "feeds have fresh data again"),
    "house": ("is well again", "things are well again"),
}
OTHER = ("has something to say", "things to know")
_ORDER = [*TOPICS, *(f"{topic}{OVER}" for topic in ENDS)]


@dataclass(frozen=True, slots=True)
class Line:
    """One message: what it is about, whose it is in people's words, and what there is to say."""

    topic: str
    title: str
    body: str


def text(lines: Sequence[Line], *, pages: str) -> tuple[str, str]:
    """Title and body of one text for all of these. `pages`: the address of the pages, if any."""
    topics = sorted({line.topic for line in lines}, key=_place)
    groups = [[line for line in lines if line.topic == topic] for topic in topics]
    headings = [_heading(group) for group in groups]
    title = headings[0] if len(groups) == 1 else f"{headings[0]}, and {len(groups) - 1} more"
    parts = [_group(group, alone=len(groups) == 1) for group in groups]
    body = "\n\n".join(parts)
    if len(body) > LONGEST:
        body = f"{body[: LONGEST - 1]}…"
    if pages:
        body = f"{body}\n\n{pages}/"
    return f"Waggle: {title}", body


def _place(topic: str) -> tuple[int, str]:
    return (_ORDER.index(topic) if topic in _ORDER else len(_ORDER), topic)


def _heading(group: Sequence[Line]) -> str:
    topic = group[0].topic
    known = ENDS if topic.endswith(OVER) else TOPICS
    one, several = known.get(topic.removesuffix(OVER), OTHER)
    names = {line.title for line in group}
    return f"{group[0].title} {one}" if len(names) == 1 else f"{len(names)} {several}"


def _group(group: Sequence[Line], *, alone: bool) -> str:
    if len(group) == 1:
        return _cut(group[0].body if alone else f"{group[0].title}: {group[0].body}")
    lines = [f"- {_cut(f'{line.title}: {line.body}')}" for line in group[:SHOWN]]
    heading = _heading(group)
    if len(group) > SHOWN:
        return "\n".join(
            [f"{heading}; the first {SHOWN} are:", *lines, f"… and {len(group) - SHOWN} more"]
        )
    return "\n".join([f"{heading}:", *lines])


def _cut(line: str) -> str:
    return line if len(line) <= LONGEST_LINE else f"{line[: LONGEST_LINE - 1]}…"


def secrets_in(plain: str) -> list[str]:
    """The secrets in a decrypted text: itself, or the values where it is a JSON object."""
    try:
        found = json.loads(plain)
    except ValueError:
        return [plain]
    values = found.values() if isinstance(found, dict) else [plain]
    return [value for value in values if isinstance(value, str) and len(value) >= SHORTEST_SECRET]
