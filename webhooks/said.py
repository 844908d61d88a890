"""What a form came to, said once on the page that comes after it: a signed cookie of a minute."""

from dataclasses import dataclass
from typing import Literal

import itsdangerous
from starlette.requests import Request
from starlette.responses import Response

from webhooks.receiver import Receiver

COOKIE = "waggle_said"
SECONDS = 60
LONGEST = 500
Kind = Literal["good", "warn", "bad"]


@dataclass(frozen=True, slots=True)
class Said:
    """One sentence or two, and whether it is good news."""

    text: str
    kind: Kind


def later(receiver: Receiver, response: Response, text: str, *, kind: Kind = "good") -> None:
    """Have the next page say it."""
    value = {"text": text[:LONGEST], "kind": kind, "at": int(receiver.clock.now())}
    response.set_cookie(
        COOKIE,
        str(_signer(receiver).dumps(value)),
        max_age=SECONDS,
        secure=receiver.config.secure,
        httponly=True,
        samesite="lax",
    )


def take(receiver: Receiver, request: Request) -> Said | None:
    """What is to be said now."""
    try:
        value = _signer(receiver).loads(request.cookies.get(COOKIE, ""))
    except itsdangerous.BadData:
        return None
    if not 0 <= receiver.clock.now() - float(value["at"]) <= SECONDS:
        return None
    return Said(value["text"], value["kind"])


def forget(receiver: Receiver, response: Response) -> None:
    """It was said."""
    response.delete_cookie(COOKIE, secure=receiver.config.secure, httponly=True, samesite="lax")


def _signer(receiver: Receiver) -> itsdangerous.URLSafeSerializer:
    return itsdangerous.URLSafeSerializer(receiver.config.session_key, salt="said")
