"""JSON web tokens of the simulated BEMServer and the check of the Authorization header."""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from simulators.bemserver_http import HttpError, forbidden
from simulators.bemserver_state import BemserverState, User

Kind = Literal["access", "refresh"]


@dataclass(slots=True)
class Keys:
    """Signing key and lifetimes in seconds; `basic` also lets HTTP Basic in."""

    secret: str = "simulated-key"  # noqa: S105 - made up
    access_seconds: int = 900
    refresh_seconds: int = 5_184_000
    basic: bool = False


def mint(keys: Keys, claims: Mapping[str, Any], *, algorithm: str = "HS256") -> str:
    """Signs any claims, also ones that a real server would never make."""
    head = _encode(json.dumps({"alg": algorithm, "typ": "JWT"}, separators=(",", ":")).encode())
    body = _encode(json.dumps(claims, separators=(",", ":")).encode())
    return f"{head}.{body}.{_sign(keys, f'{head}.{body}')}"


def pair(keys: Keys, email: str, *, now: float) -> dict[str, str]:
    """Access and refresh token; the same second gives the same tokens."""

    def token(kind: Kind, seconds: int) -> str:
        return mint(keys, {"email": email, "exp": int(now) + seconds, "type": kind})

    return {
        "access_token": token("access", keys.access_seconds),
        "refresh_token": token("refresh", keys.refresh_seconds),
    }


def user_of(state: BemserverState, keys: Keys, authorization: str | None, *, kind: Kind) -> User:
    """Finds who asks. HttpError 400 without a space, 401 with its code, 403 when inactive."""
    if authorization is None:
        raise unauthorized(keys, "missing_authentication")
    scheme, space, given = authorization.partition(" ")
    if not space:
        raise HttpError(400)
    if scheme == "Bearer":
        user = _bearer(state, keys, given, kind)
    elif scheme == "Basic" and keys.basic:
        user = _basic(state, keys, given)
    else:
        raise unauthorized(keys, "invalid_scheme")
    if not user.is_active:
        raise forbidden()
    return user


def unauthorized(keys: Keys, code: str) -> HttpError:
    """The 401; the reason stands under `errors`."""
    schemes = "Bearer, Basic" if keys.basic else "Bearer"
    return HttpError(401, errors={"authentication": code}, headers={"www-authenticate": schemes})


def _bearer(state: BemserverState, keys: Keys, token: str, kind: Kind) -> User:
    claims = _claims(keys, token)
    if claims is None:
        raise unauthorized(keys, "invalid_token")
    # The real one looks at the expiry before it looks at anything else.
    if "exp" in claims and claims["exp"] < int(state.clock()):
        raise unauthorized(keys, "expired_token")
    user = next((u for u in state.users.values() if u.email == claims.get("email")), None)
    if user is None or claims.get("type") != kind:
        raise unauthorized(keys, "invalid_token")
    return user


def _basic(state: BemserverState, keys: Keys, given: str) -> User:
    try:
        email, colon, password = base64.b64decode(given, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        colon = ""
    if not colon:
        raise unauthorized(keys, "malformed_credentials")
    for user in state.users.values():
        if (user.email, user.password) == (email, password):
            return user
    raise unauthorized(keys, "invalid_credentials")


def _claims(keys: Keys, token: str) -> dict[str, Any] | None:
    try:
        head, body, signature = token.split(".")
        if json.loads(_decode(head)).get("alg") != "HS256":
            return None
        if not hmac.compare_digest(signature.encode(), _sign(keys, f"{head}.{body}").encode()):
            return None
        claims = json.loads(_decode(body))
    except (ValueError, AttributeError):
        return None
    return claims if isinstance(claims, dict) else None


def _sign(keys: Keys, text: str) -> str:
    return _encode(hmac.new(keys.secret.encode(), text.encode(), hashlib.sha256).digest())


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
