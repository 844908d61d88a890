"""One text frame of a RIME socket taken apart: the messages in it, and what is sent back at once.

RIME does not publish how its frames are made. A frame may be an object, an array of objects, one
object a line, or a text that holds any of these; or packets of Socket.IO, where the file says so.
"""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, tzinfo
from typing import Literal, NamedTuple

from pydantic_core import from_json

from clients import rime_frames_socketio as socketio
from clients.rime_messages import Message, message
from clients.rime_messages_kinds import pong
from clients.rime_messages_shapes import Level

Framing = Literal["json", "socketio"]

MOST_MESSAGES = 1000
MOST_REPLIES = 16
_DECODINGS = 2  # of one frame: the text, and a text in it


class Frames(NamedTuple):
    """What was in a frame.

    `replies` are text frames to send back at once. `ignored`: so many parts were no message.
    """

    messages: tuple[Message, ...] = ()
    replies: tuple[str, ...] = ()
    ignored: int = 0


def read(text: str, *, framing: Framing = "json", zone: tzinfo = UTC) -> Frames:
    """Take a frame apart. Never raises; how long a frame may be is the caller's matter.

    `zone`: of times that name none. How deep a frame is nested does not matter: the parser gives up
    on what is too deep for it, and nothing here looks deeper than a few levels.
    """
    if framing == "socketio" and not text.startswith(("{", "[", '"')):
        packet = socketio.packet(text)
        if packet.event is None:
            return Frames(packet.messages, packet.replies, packet.ignored)
        objects, ignored = _flat(packet.arguments, _DECODINGS)
        # An event that says all by its name.
        if not packet.arguments:
            objects = [{}]
        return _read(objects, ignored, event=packet.event, wrapped=packet.answer, zone=zone)
    objects, ignored = _decoded(text, _DECODINGS)
    return _read(objects, ignored, event="", wrapped=_plain, zone=zone)


def _read(
    objects: Sequence[Level],
    ignored: int,
    *,
    event: str,
    wrapped: Callable[[dict[str, object]], str],
    zone: tzinfo,
) -> Frames:
    if len(objects) == 1:  # as in most frames
        found = message(objects[0], event=event, zone=zone)
        if found.role != "ping":
            return Frames((found,), (), ignored)
    messages = tuple(message(one, event=event, zone=zone) for one in objects[:MOST_MESSAGES])
    replies: dict[str, None] = {}
    for one, found in zip(objects, messages, strict=False):
        if found.role == "ping" and len(replies) < MOST_REPLIES:
            answer = pong(one, event)
            if answer is not None:
                replies[wrapped(answer)] = None
    return Frames(messages, tuple(replies), ignored + len(objects) - len(messages))


def _plain(answer: dict[str, object]) -> str:
    return json.dumps(answer)


def _parsed(text: str) -> object:
    """What `json.loads` says, in a third of its time. ValueError, RecursionError."""
    try:
        return from_json(text)
    except (ValueError, TypeError):
        # It takes no half of a surrogate pair, and less depth.
        return json.loads(text)


def _decoded(text: str, decodings: int) -> tuple[list[Level], int]:
    """The objects in a text, and how many parts of it were none."""
    try:
        return _flat(_parsed(text), decodings - 1)
    except RecursionError:
        return [], 1
    except ValueError:
        pass
    lines = [line for line in text.split("\n") if line.strip()]
    if len(lines) < 2:  # noqa: PLR2004 -- it is the text that was just tried
        return [], 1
    found: list[Level] = []
    ignored = 0
    for line in lines:
        try:
            objects, others = _flat(_parsed(line), decodings - 1)
        except (ValueError, RecursionError):
            objects, others = [], 1
        found += objects
        ignored += others
    return found, ignored


def _flat(value: object, decodings: int) -> tuple[list[Level], int]:
    if isinstance(value, dict):
        return [value], 0
    if isinstance(value, str) and decodings:
        return _decoded(value, decodings)
    if not isinstance(value, list):
        return [], 1
    found: list[Level] = []
    ignored = 0
    for item in value:
        if isinstance(item, dict):
            found.append(item)
        elif isinstance(item, str) and decodings:
            objects, others = _decoded(item, decodings)
            found += objects
            ignored += others
        else:
            ignored += 1
    return found, ignored
