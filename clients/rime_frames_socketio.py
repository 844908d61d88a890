"""Packets of Socket.IO 5 in frames of Engine.IO 4.

https://socket.io/docs/v4/engine-io-protocol/ and https://socket.io/docs/v4/socket-io-protocol/.
Whoever opened the socket sends `40` (with what shows who it is) once "engine.open" has come.
"""

import dataclasses
import json
import re

from clients.rime_messages import Message
from clients.rime_messages_kinds import LONGEST, Role, is_refusal

# Type, how many binary parts follow, namespace, number of an acknowledgement, JSON.
_PACKET = re.compile(r"(?s)4([0-6])(?:[0-9]{1,9}-)?(?:(/[^,]*),)?(?:[0-9]{1,18}(?=[\[{]|$))?(.*)")
_CONNECT, _DISCONNECT, _EVENT, _REFUSED, _BINARY_EVENT = "0", "1", "2", "4", "5"
_PING, _PONG = "2", "3"
_ENGINE = {
    "0": "engine.open",
    "1": "engine.close",
    _PONG: "engine.pong",
    "5": "engine.upgrade",
    "6": "engine.noop",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Packet:
    """What a packet holds: messages about the connection, or an event and its arguments."""

    messages: tuple[Message, ...] = ()
    replies: tuple[str, ...] = ()
    ignored: int = 0
    event: str | None = None
    arguments: list[object] = dataclasses.field(default_factory=list)
    namespace: str = ""

    def answer(self, body: dict[str, object]) -> str:
        """An event to send back where this one came from."""
        event = self.event or ""
        if event.lower().endswith("ping"):
            event = event[:-4] + ("PONG" if event.isupper() else "pong")
        prefix = f"{self.namespace}," if self.namespace else ""
        return f"42{prefix}{json.dumps([event, body] if body else [event])}"


def packet(text: str) -> Packet:
    """The packet in a text frame. Never raises; what is none is ignored."""
    if text.startswith(_PING):
        return _about("engine.ping", role="ping", reply=_PONG + text[1 : 1 + LONGEST])
    if text.startswith(tuple(_ENGINE)):
        return _about(_ENGINE[text[0]])
    match = _PACKET.fullmatch(text)
    return Packet(ignored=1) if match is None else _of_socket(*match.groups(default=""))


def _of_socket(kind: str, namespace: str, rest: str) -> Packet:
    if kind in (_EVENT, _BINARY_EVENT):
        arguments = _json(rest)
        if isinstance(arguments, list) and arguments and isinstance(arguments[0], str):
            return Packet(event=arguments[0], arguments=arguments[1:], namespace=namespace)
        return Packet(ignored=1)
    if kind == _CONNECT:
        return _about("socket.connect", role="ready")
    if kind == _DISCONNECT:
        return _about("socket.disconnect", role="error", code="disconnect")
    return _refused(rest) if kind == _REFUSED else _about("socket.ack")


def _about(kind: str, *, role: Role = "other", code: str | None = None, reply: str = "") -> Packet:
    return Packet((Message(kind=kind, role=role, code=code),), (reply,) if reply else ())


def _refused(rest: str) -> Packet:
    """Programs refuse those whom they do not know; the server itself, a namespace it has not."""
    body = _json(rest)
    said = body.get("message") if isinstance(body, dict) else body
    text = said[:LONGEST].strip().lower() if isinstance(said, str) else ""
    if text == "invalid namespace":
        return _about("socket.refused", role="error", code="invalid_namespace")
    return _about("socket.refused", role="refused", code=text if is_refusal(text) else None)


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
