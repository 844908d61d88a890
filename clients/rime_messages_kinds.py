"""What the kind of a message tells by its words alone: `auth_ok`, `pusher:ping`, `run.completed`.

RIME does not publish the messages of its sockets. The words are those of the usual ones: Home
Assistant, Prefect, GraphQL (graphql-ws), Pusher and ComfyUI.
"""

import dataclasses
import functools
import re
from collections.abc import Mapping
from typing import Literal

from clients.rime_models import outcome

Role = Literal["progress", "ping", "ready", "refused", "error", "other"]

# Under one of these stands the kind.
NAMES = ("type", "event", "event_type", "kind", "action", "topic", "op")
LONGEST = 64
_LARGEST = 1e18  # of numbers that are sent back; NaN is no number
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
# These say only that there is something: what, another field says.
_EMPTY_WORDS = {"event", "message", "msg", "update", "data", "next", "notification"}
_ROLES: Mapping[str, Role] = {
    **dict.fromkeys(("ping", "pusherping"), "ping"),
    **dict.fromkeys(("ka", "keepalive", "heartbeat"), "ping"),
    **dict.fromkeys(("authok", "authsuccess", "authenticated", "connectionack"), "ready"),
    **dict.fromkeys(("connected", "welcome", "subscribed", "ready"), "ready"),
    **dict.fromkeys(
        ("pusherconnectionestablished", "pusherinternalsubscriptionsucceeded"), "ready"
    ),
    **dict.fromkeys(("authinvalid", "autherror", "authfailed", "unauthorized"), "refused"),
    **dict.fromkeys(("error", "pushererror", "connectionerror"), "error"),
}
# Talk between client and server: a "success" in it is none of a run.
_TALK = {"auth", "authentication", "connection", "hello", "login", "pong", "result", "session"}
_RUNS = {"run", "runs", "sync", "execution", "pipeline", "job", "flow", "connector", "workflow"}
_STEPS = {"step", "steps", "task", "node", "table", "tables"}
_REFUSALS = {
    *("unauthorized", "unauthenticated", "forbidden", "invalidauth", "invalidtoken"),
    *("tokenexpired", "expiredtoken", "authinvalid", "autherror", "authenticationfailed"),
    *("401", "403", "3000", "4001", "4003", "4009", "4401", "4403"),
}
# Words that say that it is over, but not how.
_ENDS = {"complete", "done", "ended", "finished", "interrupted"}


@dataclasses.dataclass(frozen=True, slots=True)
class Kind:
    """What is told by the words of a kind.

    `role` where they are those of a control message. `status`: the words at its end, where it is
    about a run or a step (`execution_success`). `talk`: it is about the connection.
    """

    role: Role | None = None
    status: str | None = None
    of_run: bool = False
    of_step: bool = False
    talk: bool = False


@functools.lru_cache(maxsize=1024)
def told_by(kind: str) -> Kind:
    """What the words of this kind tell, in whatever spelling."""
    words = [word.lower() for word in _WORD.findall(kind)]
    if not words:
        return Kind()
    role = _ROLES.get("".join(words))
    if role is not None:
        return Kind(role, talk=True)
    of_run, of_step = not _RUNS.isdisjoint(words), not _STEPS.isdisjoint(words)
    status = None
    if of_run or of_step or len(words) == 1:
        endings = ("_".join(words[-2:]), words[-1])
        status = next((word for word in endings if says(word)), None)
    return Kind(None, status, of_run, of_step, words[0] in _TALK)


@functools.lru_cache(maxsize=1024)
def says(status: str) -> bool:
    """Is this a word for how something stands, or for its end?"""
    return outcome(status) != "unknown" or is_end(status)


@functools.lru_cache(maxsize=1024)
def is_end(status: str) -> bool:
    """Does this word say that it is over, without saying how?"""
    return status.strip().lower() in _ENDS


def is_empty(kind: str) -> bool:
    """Does this kind say only that there is something?"""
    return kind.lower() in _EMPTY_WORDS


def is_refusal(code: str) -> bool:
    """Does this code of an error say that the token is no good?"""
    return re.sub("[-_ .]", "", code.lower()) in _REFUSALS


def pong(frame: Mapping[str, object], event: str) -> dict[str, object] | None:
    """The answer to a ping, None where none is due. `event`: the kind where the frame has none.

    The same words with "pong", and what tells pings apart is sent back.
    """
    name, kind = next(
        ((name, kind) for name in NAMES if isinstance(kind := frame.get(name), str)), ("", event)
    )
    if not kind.lower().endswith("ping"):
        return None
    answer: dict[str, object] = {name: kind[:-4] + ("PONG" if kind.isupper() else "pong")}
    for echoed in ("id", "timestamp"):
        value = frame.get(echoed)
        number = isinstance(value, int | float) and abs(value) < _LARGEST
        if number or (isinstance(value, str) and len(value) <= LONGEST):
            answer[echoed] = value
    if ":" in kind:
        answer["data"] = {}
    answer.pop("", None)
    return answer
