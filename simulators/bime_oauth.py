"""`/oauth/authorize` and the token endpoint: the code flow of an early draft of OAuth 2.

Whoever owns the account consents at once, unless `denies` is switched on. Codes are good once, for
ten minutes.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from simulators.bime_state import App, BimeState, Token

CODE_SECONDS = 600.0
# What later became RFC 6749, as draft 5 said it.
_DRAFT_5 = {
    "invalid_client": "invalid_client_credentials",
    "invalid_grant": "bad_authorization_code",
    "invalid_request": "unknown_format",
}
_TEXTS = {
    "invalid_client": "The client credentials are not those of a registered app.",
    "invalid_grant": "The code was not issued to this client, was used, or has expired.",
    "invalid_request": "A parameter is missing.",
    "redirect_uri_mismatch": "The redirect_uri is not the registered one.",
}


@dataclass(frozen=True, slots=True)
class _Code:
    client_id: str
    redirect_uri: str
    ends_at: float


class OAuth:
    """The pages of one simulated Bime."""

    def __init__(self, state: BimeState) -> None:
        self.state = state
        self._codes: dict[str, _Code] = {}
        self._refresh: dict[str, str] = {}

    def give(self, refresh_token: str, client_id: str) -> None:
        """A refresh token that an app was given some time ago."""
        self._refresh[refresh_token] = client_id

    def authorize(self, request: Request) -> Response:
        """The way back to the app, with a code."""
        given = request.query_params
        app = self.state.apps.get(given.get("client_id", ""))
        if app is None:
            return self._refuse("invalid_client")
        if given.get("redirect_uri") != app.redirect_uri:
            return self._refuse("redirect_uri_mismatch")
        answer = {"state": given["state"]} if "state" in given else {}
        if given.get("response_type") != "code":
            return _back(app, answer | {"error": "unsupported_response_type"})
        if self.state.switches.denies:
            return _back(app, answer | {"error": "access_denied"})
        code = secrets.token_hex(16)
        self._codes[code] = _Code(
            app.client_id, app.redirect_uri, self.state.clock() + CODE_SECONDS
        )
        return _back(app, answer | {"code": code})

    async def token(self, request: Request) -> Response:
        """A token for a code or, where that is switched on, for a refresh token."""
        given = dict(request.query_params)
        if not self.state.switches.query_only:
            given |= dict(parse_qsl((await request.body()).decode()))
        app = self.state.apps.get(given.get("client_id", ""))
        if "client_id" not in given:
            return self._refuse("invalid_request")
        if app is None or given.get("client_secret") != app.client_secret:
            return self._refuse("invalid_client", status=401)
        # The page names no grant_type: without one it is a code.
        if given.get("grant_type") == "refresh_token":
            token = given.get("refresh_token", "")
            good = self._refresh.get(token) == app.client_id
            if self.state.switches.refresh_once:
                self._refresh.pop(token, None)
        else:
            good = self._used(app, given)
        return self._made(app) if good else self._refuse("invalid_grant")

    def _used(self, app: App, given: Mapping[str, str]) -> bool:
        code = self._codes.pop(given.get("code", ""), None)
        expected = (app.client_id, given.get("redirect_uri"))
        return (
            code is not None
            and (code.client_id, code.redirect_uri) == expected
            and self.state.clock() < code.ends_at
        )

    def _made(self, app: App) -> Response:
        switches = self.state.switches
        token = secrets.token_hex(20)
        body: dict[str, str | int] = {"access_token": token}
        ends_at = None
        if switches.expires_in is not None:
            body["expires_in"] = switches.expires_in
            ends_at = self.state.clock() + switches.expires_in
        if switches.refresh:
            refresh = secrets.token_hex(20)
            body["refresh_token"] = refresh
            self._refresh[refresh] = app.client_id
        self.state.tokens[token] = Token(app.account, ends_at)
        return JSONResponse(body)

    def _refuse(self, error: str, *, status: int = 400) -> Response:
        if self.state.switches.oauth_errors == "rfc":
            return JSONResponse({"error": error}, status_code=status)
        word = _DRAFT_5.get(error, error)
        return JSONResponse(
            {"error": word, "error_description": _TEXTS[error], "error_uri": "about:blank"},
            status_code=400,
        )


def _back(app: App, answer: Mapping[str, str]) -> Response:
    target = urlsplit(app.redirect_uri)
    query = urlencode([*parse_qsl(target.query), *answer.items()])
    return RedirectResponse(urlunsplit(target._replace(query=query)), status_code=302)
