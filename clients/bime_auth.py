"""How Bime lets us in: a token that a person copied, or OAuth's code flow.

https://github.com/nicolas/bime-api/blob/master/authentication.md: an early draft of OAuth 2, with
tokens that are not said to end. Where an answer names an end or a refresh token, they are used.
"""

import dataclasses
import re
import time
from collections.abc import Callable, Mapping
from typing import Annotated, ClassVar

import httpx
import pydantic

from clients import errors, redaction
from clients.answers import Answer
from clients.bime_answers import BimeApi, apart
from clients.gate import Gate
from clients.http import Route
from clients.limits import Limits
from clients.retry_after import LONGEST

_WORD = re.compile("[a-z_]{1,40}")
# These say that the request was not understood, not that somebody may not.
_NOT_UNDERSTOOD = frozenset({"invalid_request", "unsupported_grant_type", "unknown_format"})
_REFUSALS = frozenset({httpx.codes.BAD_REQUEST, httpx.codes.UNAUTHORIZED})


@dataclasses.dataclass(frozen=True, slots=True)
class StaticToken:
    """A token that a person copied from Bime: there is no other one."""

    token: str = dataclasses.field(repr=False)

    def access(self) -> str:
        """The token."""
        return self.token

    def renew(self, rejected: str) -> str:  # noqa: ARG002  # a token source's signature
        """The same again."""
        return self.token


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BimeApp:
    """An app that was registered at an account. `oauth_url`: the account's own address.

    `in_query`: send what the token endpoint wants in the query string, as the page shows it.
    """

    oauth_url: str
    client_id: str
    client_secret: str = dataclasses.field(repr=False)
    in_query: bool = False

    def authorize_url(self, *, redirect_uri: str, state: str) -> str:
        """Where a person is sent to allow it."""
        wanted = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": redirect_uri,
            "state": state,
        }
        url = httpx.URL(f"{self.oauth_url.rstrip('/')}/oauth/authorize")
        return str(url.copy_with(params=wanted))


_Token = Annotated[str, pydantic.StringConstraints(pattern="^[!-~]+$")]
_Seconds = Annotated[float, pydantic.Field(ge=0, allow_inf_nan=False)]


@dataclasses.dataclass(frozen=True, slots=True)
class BimeToken:
    """What the token endpoint gives. `expires_in`: seconds, as it was told; see `life`."""

    access_token: _Token = dataclasses.field(repr=False)
    refresh_token: _Token | None = dataclasses.field(default=None, repr=False)
    expires_in: _Seconds | None = None

    @property
    def life(self) -> float | None:
        """Seconds that it lives, no more than calendars can hold; None where no end is named."""
        return min(self.expires_in, LONGEST) if self.expires_in else None


_TOKEN = pydantic.TypeAdapter(BimeToken)


class BimeTokenClient(BimeApi):
    """The token endpoint of one app. What is refused there is AuthFailed."""

    allowed: ClassVar[tuple[Route, ...]] = (("POST", re.compile("oauth/token")),)

    def __init__(
        self,
        app: BimeApp,
        *,
        http: httpx.Client,
        gate: Gate | None = None,
        deadline: float = 20.0,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(
            http=http,
            base_url=app.oauth_url,
            gate=gate,
            deadline=deadline,
            clock=clock,
            monotonic=monotonic,
        )
        self._app = app

    def exchange(self, *, code: str, redirect_uri: str) -> BimeToken:
        """What a code is good for (POST /oauth/token); a code can be used once."""
        told = {"grant_type": "authorization_code", "redirect_uri": redirect_uri}
        return self._token(told, {"code": code})

    def refresh(self, refresh_token: str) -> BimeToken:
        """Another token in exchange for a refresh token, where Bime has given one."""
        return self._token({"grant_type": "refresh_token"}, {"refresh_token": refresh_token})

    def _token(self, told: Mapping[str, str], secret: Mapping[str, str]) -> BimeToken:
        # Raised here, where no frame has the body.
        outcome = self._outcome(told, secret)
        if isinstance(outcome, errors.ClientError):
            raise outcome
        return outcome

    def _outcome(
        self, told: Mapping[str, str], secret: Mapping[str, str]
    ) -> BimeToken | errors.ClientError:
        plain = {**told, "client_id": self._app.client_id}
        hidden = {**secret, "client_secret": self._app.client_secret}
        if self._app.in_query:
            # Credentials of the query go on the wire only, never into a URL that is shown.
            answer = self._request(
                "POST",
                "oauth/token",
                params=plain,
                credentials=redaction.Credentials(query=hidden),
            )
        else:
            answer = self._request(
                "POST",
                "oauth/token",
                form=plain,
                credentials=redaction.Credentials(form=hidden),
            )
        return apart(lambda found: found.parsed(_TOKEN), answer)

    def _error_message(self, answer: Answer) -> str:
        return _refused_with(answer) or ""

    def _classify(self, answer: Answer, said: Limits) -> errors.ClientError | None:
        error = super()._classify(answer, said)
        word = _refused_with(answer)
        if error is None or answer.status not in _REFUSALS:
            return error
        if word in _NOT_UNDERSTOOD:
            hint = "Bime may want it in the query string: set `token_in_query = true`"
            error.message = f"{error.message}; {hint}"
            error.args = (error.message,)
            return error
        if word is None and answer.status != httpx.codes.UNAUTHORIZED:
            return error
        return errors.AuthFailed(error.message, status=error.status, request_id=error.request_id)


def _refused_with(answer: Answer) -> str | None:
    """The word for an error, of RFC 6749 or of the drafts before it; None where there is none."""
    body = answer.details()
    error = body.get("error") if isinstance(body, dict) else None
    if isinstance(error, dict):
        error = next((error[key] for key in ("code", "type") if key in error), None)
    return error if isinstance(error, str) and _WORD.fullmatch(error) else None
