"""RIME's session tokens: log in, refresh.

https://rimedata.io/docs/api/authentication documents the login. How to refresh is not in what is
published of it: the path is an argument, and the body the usual one.
"""

import dataclasses
import math
import re
import time
from collections.abc import Callable, Sequence
from typing import ClassVar

import httpx

from clients import errors, redaction, rime_paths
from clients.answers import Answer
from clients.gate import Gate
from clients.http import MIB, ApiClient, Route
from clients.rime_pages import said

LOGIN_PATH = "auth/login"
REFRESH_PATH = "auth/refresh"
_LARGEST = MIB // 16
_TOKEN = re.compile(r"[!-~]+")


@dataclasses.dataclass(frozen=True, slots=True)
class RimeTokens:
    """What a login or a refresh gives. `expires_in`: seconds, None if not told (then an hour)."""

    access: str = dataclasses.field(repr=False)
    refresh: str | None = dataclasses.field(default=None, repr=False)
    expires_in: float | None = None


class _TokenClient(ApiClient):
    vendor = "RIME"
    allowed: ClassVar[Sequence[Route]] = (("POST", re.compile(re.escape(LOGIN_PATH))),)

    def __init__(self, *, refresh_path: str, **more: object) -> None:
        super().__init__(**more, max_bytes=_LARGEST)  # type: ignore[arg-type] # see login, refresh
        self._refresh_path = rime_paths.refresh(refresh_path)

    def _allows(self, method: str, path: str) -> bool:
        refreshes = method == "POST" and path == self._refresh_path
        return refreshes or super()._allows(method, path)

    def _error_message(self, answer: Answer) -> str:
        return "" if answer.is_html else said(answer)

    def tokens(self, path: str, sent: dict[str, str]) -> RimeTokens:
        answer = self._request("POST", path, credentials=redaction.Credentials(json=sent))
        body = answer.json()
        if not isinstance(body, dict):
            raise answer.unexpected("an object was due")
        access = _token(answer, body, "access_token")
        if access is None:
            raise answer.unexpected("field access_token is missing")
        kind = body.get("token_type")
        if kind is not None and str(kind).lower() != "bearer":
            raise answer.unexpected("field token_type: Bearer was due")
        return RimeTokens(access, _token(answer, body, "refresh_token"), _seconds(answer, body))


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
) -> RimeTokens:
    """Fresh tokens for a person (POST /auth/login). Refused: AuthFailed."""
    client = _TokenClient(
        refresh_path=REFRESH_PATH,
        http=http,
        base_url=base_url,
        gate=gate,
        deadline=deadline,
        clock=clock,
        monotonic=monotonic,
    )
    return client.tokens(LOGIN_PATH, {"email": email, "password": password})


def refresh(
    *,
    http: httpx.Client,
    base_url: str,
    refresh_token: str,
    path: str = REFRESH_PATH,
    gate: Gate | None = None,
    deadline: float = 20.0,
    clock: Callable[[], float] = time.time,
    monotonic: Callable[[], float] = time.monotonic,
) -> RimeTokens:
    """Fresh tokens; the refresh token among them is the old one where there came no new one.

    AuthFailed: log in instead. Its reason is `no_refresh` where the server does not refresh at
    this path, or not like that: a 404 or 405, a page, any answer that holds no token.
    """
    client = _TokenClient(
        refresh_path=path,
        http=http,
        base_url=base_url,
        gate=gate,
        deadline=deadline,
        clock=clock,
        monotonic=monotonic,
    )
    path = rime_paths.refresh(path)
    try:
        found = client.tokens(path, {"refresh_token": refresh_token})
    except errors.AuthFailed:
        raise
    except errors.Permanent as error:
        refusal = _no_refresh(error)
    except errors.Unavailable as error:
        # A page with a good status is what an app shows for a path that it does not know.
        if error.status is None or not httpx.codes.is_success(error.status):
            raise
        refusal = _no_refresh(error)
    else:
        return dataclasses.replace(found, refresh=found.refresh or refresh_token)
    raise refusal


def _no_refresh(error: errors.ClientError) -> errors.AuthFailed:
    return errors.AuthFailed(
        f"the session can't be refreshed: {error}",
        reason="no_refresh",
        status=error.status,
        request_id=error.request_id,
    )


def _token(answer: Answer, body: dict[str, object], name: str) -> str | None:
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not _TOKEN.fullmatch(value):
        raise answer.unexpected(f"field {name}: a token was due")
    return value


def _seconds(answer: Answer, body: dict[str, object]) -> float | None:
    value = body.get("expires_in")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise answer.unexpected("field expires_in: seconds were due")
    return float(value)
