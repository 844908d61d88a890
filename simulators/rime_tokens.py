"""Who asks: API keys, logins and their tokens at the simulated RIME."""

import hashlib
import itertools
import json
from typing import Any

from starlette.responses import JSONResponse, Response

from simulators.rime_http import HttpError
from simulators.rime_state import Person, RimeState, Session
from simulators.rime_unknowns import Unknowns


class Tokens:
    """Issues and knows tokens. `seconds`: lives of access and refresh tokens."""

    def __init__(self, state: RimeState, unknowns: Unknowns) -> None:
        self.state, self.unknowns = state, unknowns
        self.access_seconds, self.refresh_seconds = 3600.0, 30 * 86400.0
        self._numbers = itertools.count(1)

    def who(self, authorization: str | None) -> Person:
        """Whose the header is. HttpError 401."""
        scheme, _, token = (authorization or "").partition(" ")
        session = self._session(token.strip(), ("access", "key"))
        if scheme.lower() != "bearer" or session is None:
            raise HttpError(401, "Missing, expired or invalid token")
        return session.person

    def login(self, body: bytes) -> Response:
        """POST auth/login."""
        given = _object(body, ("email", "password"))
        person = self.state.people.get(given["email"])
        if person is None or person.password != given["password"]:
            raise HttpError(401, "Invalid email or password")
        return JSONResponse(self.issue(person, refresh=True))

    def refresh(self, body: bytes) -> Response:
        """POST of the refresh path. A rotated token is good once."""
        given = _object(body, ("refresh_token",))["refresh_token"]
        session = self._session(given, ("refresh",))
        if session is None:
            raise HttpError(401, "Invalid or expired refresh token")
        if self.unknowns.rotates:
            del self.state.sessions[given]
        return JSONResponse(self.issue(session.person, refresh=self.unknowns.rotates))

    def issue(self, person: Person, *, refresh: bool) -> dict[str, Any]:
        """Fresh tokens as a login gives them."""
        found: dict[str, Any] = {
            "access_token": self._new(person, "access"),
            "token_type": "Bearer",
        }
        if refresh:
            found["refresh_token"] = self._new(person, "refresh")
        if self.unknowns.tells_expiry:
            found["expires_in"] = int(self.access_seconds)
        return found

    def revoke(self, kind: str) -> None:
        """End all tokens of a kind at once: "access", "refresh" or "key"."""
        with self.state.lock:
            for token in [t for t, one in self.state.sessions.items() if one.kind == kind]:
                del self.state.sessions[token]

    def _new(self, person: Person, kind: Any) -> str:  # noqa: ANN401 - one of Session's kinds
        number = f"{next(self._numbers)} {person.email} {kind}"
        token = f"eyJ{kind[0]}{hashlib.sha256(number.encode()).hexdigest()}"
        seconds = self.access_seconds if kind == "access" else self.refresh_seconds
        self.state.sessions[token] = Session(person, kind, self.state.clock() + seconds)
        return token

    def _session(self, token: str, kinds: tuple[str, ...]) -> Session | None:
        found = self.state.sessions.get(token)
        if found is None or found.kind not in kinds:
            return None
        ended = found.ends_at is not None and found.ends_at <= self.state.clock()
        return None if ended else found


def _object(body: bytes, names: tuple[str, ...]) -> dict[str, str]:
    try:
        given = json.loads(body)
    except ValueError:
        given = None
    if not isinstance(given, dict):
        raise HttpError(400, "The body must be a JSON object")
    wrong = {name: "is required" for name in names if not isinstance(given.get(name), str)}
    if wrong:
        raise HttpError(400, "Invalid request", details=wrong)
    return given
