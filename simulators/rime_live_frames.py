"""How what the simulated RIME says becomes frames: envelopes, framings, and noise between them."""

import itertools
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from simulators import rime_live_messages as messages
from simulators.rime_live_messages import Said
from simulators.rime_live_switches import Switches
from simulators.rime_unknowns import Unknowns

_GARBAGE = ("", "null", "hello", '{"type":', "[1,2", "4", '"\\"\\\\\\""', "[[[[]]]]", "NaN", "7")
_BINARY = b"\x00\x00\x00\x01\x89PNG"
_PADDED = 3  # the message that `huge` is about


@dataclass(slots=True)
class Framer:
    """Makes the frames of one socket; `count`: messages so far, without duplicates and noise."""

    switches: Switches
    unknowns: Unknowns
    count: int = 0
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _held: list[dict[str, Any]] = field(default_factory=list)

    def frames(self, said: Iterable[Said], now: float) -> list[str | bytes]:
        """Text frames for these messages, and binary ones that are noise."""
        made: list[str | bytes] = []
        objects: list[dict[str, Any]] = []
        for one in said:
            self.count += 1
            made += self._noise(now)
            objects += self._swapped(self._repeated(one, now), last=one.last)
        return [*made, *self._framed(objects)]

    def control(self, word: str, **more: Any) -> str:
        """A message about the connection itself."""
        return self._framed([{self._key: word, **more}])[0]

    def error(self, code: str, message: str) -> str:
        """The envelope of errors, as the API has it."""
        body = {"error": {"code": code, "message": message}}
        return self._framed([body], event="error")[0]

    @property
    def _key(self) -> str:
        key = self.switches.envelope.partition(".")[0]
        return "type" if key == "none" else key

    def _repeated(self, one: Said, now: float) -> list[dict[str, Any]]:
        made = self._enveloped(one, now)
        if self.count == _PADDED and self.switches.huge:
            made["padding"] = "x" * self.switches.huge
        return [made] * (1 + self.switches.duplicates)

    def _swapped(self, made: list[dict[str, Any]], *, last: bool) -> Iterator[dict[str, Any]]:
        if not self.switches.swapped:
            yield from made
            return
        self._held += made
        while len(self._held) > 1 or (last and self._held):
            pair, self._held = self._held[:2], self._held[2:]
            yield from reversed(pair)

    def _noise(self, now: float) -> list[str | bytes]:
        found: list[str | bytes] = []
        switches = self.switches
        if switches.binary and self.count % switches.binary == 0:
            found.append(_BINARY)
        if switches.garbage and self.count % switches.garbage == 0:
            found.append(_GARBAGE[self.count // switches.garbage % len(_GARBAGE)])
        if switches.strange and self.count % switches.strange == 0:
            found += self._framed([self._enveloped(messages.strange(self.count), now)])
        if switches.others and self.count % switches.others == 0:
            found += self._framed([self._enveloped(messages.of_another(switches.names), now)])
        return found

    def _enveloped(self, one: Said, now: float) -> dict[str, Any]:
        key, _, inner = self.switches.envelope.partition(".")
        marks = self._marks(now, "id" if inner else "event_id")
        if key == "none":
            return {**one.body, **marks}
        if not inner:
            return {key: one.kind, **one.body, **marks}
        body = json.dumps(one.body) if self.switches.body_text else one.body
        return {key: one.kind, inner: body, **marks}

    def _marks(self, now: float, name: str) -> dict[str, Any]:
        number = next(self._numbers)
        found = {"seq": number, name: f"evt_{number:06d}", "timestamp": self.unknowns.time(now)}
        wanted = {"none": [], "all": list(found), "id": [name], "time": ["timestamp"]}
        return {key: found[key] for key in wanted.get(self.switches.marks, ["seq"])}

    def _framed(self, objects: list[dict[str, Any]], *, event: str = "") -> list[str]:
        match self.switches.form:
            case "array":
                return [json.dumps(objects)] if objects else []
            case "ndjson":
                return ["\n".join(json.dumps(one) for one in objects) + "\n"] if objects else []
            case "double":
                return [json.dumps(json.dumps(one)) for one in objects]
            case "socketio":
                return [self._packet(one, event) for one in objects]
        return [json.dumps(one) for one in objects]

    def _packet(self, one: dict[str, Any], event: str) -> str:
        """An event of Socket.IO: its name is the kind, its argument the rest."""
        rest = {name: value for name, value in one.items() if name != self._key}
        name = one.get(self._key, event or "message")
        space = f"{self.switches.namespace}," if self.switches.namespace else ""
        ack = str(self.count) if self.switches.acks else ""
        return f"42{space}{ack}{json.dumps([name, rest] if rest else [name])}"
