"""What RIME's pages leave open of its progress socket, as switches.

All that is published is that there is one. How others stream the progress of jobs is what these
switches come from: each of their settings is a server that a client could meet.
"""

from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

Auth = Literal["header", "first_message", "subprotocol", "query"]
Denial = Literal["status", "close", "auth_invalid", "auth_error", "unauthorized", "error"]
Content = Literal["snapshot", "delta", "full"]
Form = Literal["json", "array", "ndjson", "double", "socketio"]
Envelope = Literal[
    "type.data",
    "event.payload",
    "event_type.body",
    "kind.message",
    "action.data",
    "topic.payload",
    "op.body",
    "type",
    "none",
]
Names = Literal["snake", "camel", "short", "node"]
Progress = Literal["fraction", "percent", "hundred", "value", "current", "completed", "rows"]
Marks = Literal["none", "seq", "id", "time", "all"]
Greeting = Literal[
    "",
    "auth_ok",
    "auth_success",
    "authenticated",
    "connection_ack",
    "connected",
    "welcome",
    "subscribed",
    "ready",
]
Ping = Literal["ping", "pusher:ping"]
Ending = Literal["close", "stay", "drop"]
Expiry = Literal["ignore", "close", "message", "drop"]
Gone = Literal["told", "close", "missing", "silent"]


@dataclass(slots=True, kw_only=True)
class Switches:
    """How the socket is served; ValueError for a value that is none of theirs.

    Who comes in: `auth` is where the token has to be, under `token_name` in a query or a message,
    after the word `subprotocol` in the list of subprotocols. `greeting`: what says that it was
    good, "" nothing. `asks`: the server speaks first where it waits for a message, for
    `auth_seconds`. `denial`: what a wrong token gets: an answer of `denial_status` to the upgrade,
    a close with `denial_code`, or a message and then that.

    `upgrade`: 101, or the status that all get, `refusals` of them (None: without end), with
    `retry_after` and `location` as headers.

    What is said, each `every` seconds: `content`: the run and then what changed in it, only that,
    or the run each time. `form`, `envelope` (keys of kind and body; `type`: no body, `none`: no
    kind either), `body_text` (the body is a text), `names`, `progress`, `marks`. `namespace` and
    `acks` belong to socketio, and so does `engine`, the version: with 3 the server says `40`
    unasked, and waits for pings instead of sending them.

    Noise: each message `duplicates` more times; `swapped` in pairs; before each n-th one a
    `strange` kind, something `binary`, `garbage` or a message of one of the `others`; `huge` is
    how many bytes the third message is padded to.

    How it ends: `silent`: it never does. After `break_after` messages with `break_code` (0: without
    a close frame) on `breaks` sockets (None: on all); after the run as `ending` and `end_code` say,
    with a last message or not (`tells_end`). `expiry`: what happens when the token is no longer
    good, and `expiry_code`. `longest` seconds by the tenant's clock, then 1001. `gone`: what is
    done for a run that has ended already. `ping_every` and `pong_within`: real seconds, 0 never;
    who does not answer is closed with `pong_code`.
    """

    auth: Auth = "header"
    token_name: str = "token"  # noqa: S105 - the name of a parameter
    subprotocol: str = "rime"
    echoes: bool = True
    greeting: Greeting = ""
    asks: bool = False
    auth_seconds: float = 10.0
    denial: Denial = "status"
    denial_status: int = 401
    denial_code: int = 4401
    upgrade: int = 101
    refusals: int | None = None
    retry_after: str | None = None
    location: str | None = None
    every: float = 1.0
    content: Content = "snapshot"
    form: Form = "json"
    envelope: Envelope = "type.data"
    body_text: bool = False
    names: Names = "snake"
    progress: Progress = "fraction"
    marks: Marks = "all"
    namespace: str = ""
    acks: bool = False
    engine: int = 4
    duplicates: int = 0
    swapped: bool = False
    strange: int = 0
    binary: int = 0
    garbage: int = 0
    others: int = 0
    huge: int = 0
    silent: bool = False
    break_after: int | None = None
    break_code: int = 0
    breaks: int | None = None
    ending: Ending = "close"
    end_code: int = 1000
    tells_end: bool = True
    expiry: Expiry = "close"
    expiry_code: int = 4401
    longest: float | None = None
    gone: Gone = "told"
    ping: Ping = "ping"
    ping_every: float = 0.0
    pong_within: float = 10.0
    pong_code: int = 1008

    def set(self, **switches: Any) -> None:
        """Turn some of them; all or none."""
        known = {item.name: item for item in fields(self)}
        for name, value in switches.items():
            if name not in known:
                raise ValueError(f"there is no switch {name!r}; there are {sorted(known)}")
            choices = get_args(known[name].type)
            if choices and all(isinstance(one, str) for one in choices) and value not in choices:
                raise ValueError(f"{name} {value!r} is none of {', '.join(map(repr, choices))}")
        for name, value in switches.items():
            setattr(self, name, value)

    def refuses(self) -> bool:
        """Whether this upgrade is refused; counts it."""
        if self.upgrade == 101 or self.refusals == 0:  # noqa: PLR2004 - the status
            return False
        if self.refusals is not None:
            self.refusals -= 1
        return True

    def breaks_off(self, said: int) -> bool:
        """Whether a socket breaks that has so much to say by now; counts it."""
        if self.break_after is None or said < self.break_after or self.breaks == 0:
            return False
        if self.breaks is not None:
            self.breaks -= 1
        return True
