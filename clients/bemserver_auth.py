"""BEMServer's tokens: log in and refresh.

https://github.com/BEMServer/bemserver-api, src/bemserver_api/extensions/authentication.py
"""

import re
import time
from collections.abc import Callable, Sequence
from typing import ClassVar

import httpx

from clients import errors, redaction
from clients.answers import Answer
from clients.bearer import bearer
from clients.bemserver_models import TokenPair
from clients.gate import Gate
from clients.http import ApiClient, Route


class _TokenClient(ApiClient):
    vendor = "BEMServer"
    allowed: ClassVar[Sequence[Route]] = (
        ("POST", re.compile("auth/token")),
        ("POST", re.compile("auth/token/refresh")),
    )

    def pair(self, path: str, credentials: redaction.Credentials) -> TokenPair:
        answer = self._request("POST", path, credentials=credentials)
        body = answer.json()
        if not isinstance(body, dict):
            raise answer.unexpected("an object was due")
        if body.get("status") == "failure":
            raise errors.AuthFailed(
                "BEMServer refuses the login: e-mail or password is wrong, or the account inactive",
                status=answer.status,
                request_id=answer.request_id,
            )
        return TokenPair.of(_token(answer, body, "access"), _token(answer, body, "refresh"))


def login(
    *,
    http: httpx.Client,
    base_url: str,
    email: str,
    password: str,
    gate: Gate | None = None,
    deadline: float = 20.0,
    clock: Callable[[], float] = time.time,
    monotonic: Callable[[], float] = time.monotonic,
) -> TokenPair:
    """A fresh pair for a person. Refused: AuthFailed, although the server answers 200."""
    client = _TokenClient(
        http=http,
        base_url=base_url,
        gate=gate,
        deadline=deadline,
        clock=clock,
        monotonic=monotonic,
    )
    credentials = redaction.Credentials(json={"email": email, "password": password})
    return client.pair("auth/token", credentials)


def refresh(
    *,
    http: httpx.Client,
    base_url: str,
    refresh_token: str,
    gate: Gate | None = None,
    deadline: float = 20.0,
    clock: Callable[[], float] = time.time,
    monotonic: Callable[[], float] = time.monotonic,
) -> TokenPair:
    """A fresh pair; AuthFailed with reason `refresh_expired` when the token is too old."""
    client = _TokenClient(
        http=http,
        base_url=base_url,
        gate=gate,
        deadline=deadline,
        clock=clock,
        monotonic=monotonic,
    )
    try:
        return client.pair("auth/token/refresh", bearer(refresh_token))
    except errors.AuthFailed as refusal:
        if authentication_code(refusal) == "expired_token":
            refusal.reason = "refresh_expired"
        raise


def authentication_code(refusal: errors.AuthFailed) -> str | None:
    """The server's word for a 401: it stands under `errors`, not at the top."""
    match refusal.details:
        case {"errors": {"authentication": str(code)}}:
            return code
    return None


def _token(answer: Answer, body: dict[object, object], kind: str) -> str:
    value = body.get(f"{kind}_token")
    if not isinstance(value, str) or not re.fullmatch(r"[!-~]+", value):
        raise answer.unexpected(f"field {kind}_token is missing or no token")
    return value
