"""What follows from how a socket of RIME ended or was refused.

RIME publishes no codes of its own: these are the ones of RFC 6455, 7.4.1, of the registry
https://www.iana.org/assignments/websocket/websocket.xml, and those that many servers use.
"""

from typing import Literal

# done: the run is over. again: reconnect after a pause. few: a few times, then only read. login:
# renew the token once, then only read. stop: a setting is wrong, or theirs; only read.
Verdict = Literal["done", "again", "few", "login", "stop"]

_AGAIN = {1000, 1001, 1005, 1006, 1011, 1012, 1013, 1014, 3008, 4408}
_LOGIN = {1008, 3000, 3003, 4001, 4003, 4401, 4403}
_STOP = {4400, 4404, 4406}
_THEIR_TROUBLE = range(4500, 4600)  # made like the statuses of HTTP

_TRY_LATER = {408, 425, 429}
_UNAVAILABLE = range(500, 600)
_NOT_BUILT = {501, 505}


def of_close(code: int | None, *, over: bool) -> Verdict:
    """After a close code; None: the connection broke. `over`: the run has ended."""
    if over:
        return "done"
    if code is None or code in _AGAIN or code in _THEIR_TROUBLE:
        return "again"
    if code in _LOGIN:
        return "login"
    return "stop" if code in _STOP else "few"


def of_status(http_status: int) -> Verdict:
    """After an upgrade that was answered with this status instead of 101.

    A redirect is not followed: the token would go where nobody said that it may.
    """
    if http_status in (401, 403):
        return "login"
    if http_status in _TRY_LATER or (http_status in _UNAVAILABLE and http_status not in _NOT_BUILT):
        return "again"
    return "stop"
