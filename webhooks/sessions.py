"""Who is looking: a signed cookie, and tokens that tie a form to it.

The cookie names a row, not a right: what somebody may see is decided by the row as it is now.
"""

import hmac
import secrets
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import itsdangerous
from sqlmodel import Session
from starlette.requests import Request
from starlette.responses import Response

from db.models import User
from db.states import UserState
from webhooks.receiver import Receiver

COOKIE = "waggle_session"
SECONDS = 30 * 24 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """Somebody who is signed in. `user_id` is None for an operator who is nobody at Beeminder.

    `csrf` goes into every form. `timezone` is an IANA name, in which times are shown; None: UTC.
    """

    user_id: int | None
    username: str
    operator: bool
    csrf: str
    timezone: str | None = None

    @property
    def zone(self) -> tzinfo:
        """The zone in which times are shown."""
        return zone(self.timezone)

    @property
    def only_user_id(self) -> int | None:
        """Whose things to show: None for everybody's."""
        return None if self.operator else self.user_id


def zone(timezone: str | None) -> tzinfo:
    """The zone of this IANA name; UTC for none, and for one that this machine does not know."""
    try:
        return UTC if timezone is None else ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError):
        return UTC


def start(
    receiver: Receiver, response: Response, *, user: User | None, operator: bool = False
) -> None:
    """Sign somebody in; `operator` for what a login link gives."""
    value = {
        "user": user.id if user else None,
        # A row id alone may be given to somebody else after its row is gone.
        "beeminder_id": user.beeminder_id if user else None,
        "operator": operator,
        "nonce": secrets.token_urlsafe(16),
        "issued": int(receiver.clock.now()),
    }
    response.set_cookie(
        COOKIE,
        str(_signer(receiver).dumps(value)),
        max_age=SECONDS,
        secure=receiver.config.secure,
        httponly=True,
        samesite="lax",
    )


def end(receiver: Receiver, response: Response) -> None:
    """Sign out."""
    response.delete_cookie(COOKIE, secure=receiver.config.secure, httponly=True, samesite="lax")


def viewer(receiver: Receiver, request: Request, session: Session) -> Viewer | None:
    """Who is looking, by the cookie and the row that it names."""
    value = _read(receiver, request)
    if value is None:
        return None
    user = None if value["user"] is None else session.get(User, value["user"])
    if user is not None and user.beeminder_id != value["beeminder_id"]:
        user = None
    if user is not None and user.state == UserState.DEAUTHORIZED:
        user = None
    by_link = bool(value["operator"])
    if user is None and not by_link:
        return None
    named = user is not None and user.username.lower() in receiver.config.operators
    return Viewer(
        user_id=user.id if user else None,
        username=user.username if user else "operator",
        operator=by_link or named,
        csrf=str(_csrf_signer(receiver).dumps(value["nonce"])),
        timezone=user.timezone if user else None,
    )


def gone(receiver: Receiver, request: Request, session: Session) -> bool:
    """Was this the session of somebody of whom nothing is kept any more?"""
    value = _read(receiver, request)
    if value is None or value["user"] is None:
        return False
    user = session.get(User, value["user"])
    return user is None or user.beeminder_id != value["beeminder_id"]


def csrf_fits(receiver: Receiver, request: Request, given: object) -> bool:
    """Whether a form was made for this session."""
    value = _read(receiver, request)
    if value is None or not isinstance(given, str):
        return False
    try:
        nonce = str(_csrf_signer(receiver).loads(given))
    except itsdangerous.BadData:
        return False
    return hmac.compare_digest(nonce.encode(), str(value["nonce"]).encode())


def _read(receiver: Receiver, request: Request) -> dict[str, Any] | None:
    try:
        value: dict[str, Any] = _signer(receiver).loads(request.cookies.get(COOKIE, ""))
    except itsdangerous.BadData:
        return None
    age = receiver.clock.now() - float(value["issued"])
    return value if age < SECONDS else None


def _signer(receiver: Receiver) -> itsdangerous.URLSafeSerializer:
    return itsdangerous.URLSafeSerializer(receiver.config.session_key, salt="session")


def _csrf_signer(receiver: Receiver) -> itsdangerous.URLSafeSerializer:
    return itsdangerous.URLSafeSerializer(receiver.config.session_key, salt="form")
