"""Registered apps, OAuth tokens (one live per user and app) and who a request comes from."""

import secrets
from dataclasses import dataclass
from typing import Any

from simulators.beeminder_state import App, BeeminderState, User


class ApiError(Exception):
    """An answer other than 200."""

    def __init__(self, status: int, payload: dict[str, Any]) -> None:
        super().__init__(f"{status}: {payload}")
        self.status = status
        self.payload = payload


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose token a request carries: `kind` is personal or the app's name."""

    user: User
    kind: str


def not_found() -> ApiError:
    """The 404 of every unknown thing, with the singular key."""
    return ApiError(404, {"error": "The requested resource was not found."})


def register_app(
    state: BeeminderState,
    name: str,
    *,
    redirect_uri: str = "http://127.0.0.1/callback",
    autofetch_url: str | None = None,
    deauthorize_url: str | None = None,
    client_id: str | None = None,
    client_secret: str | None = None,
) -> App:
    """Registers an app, or changes the URLs of the one with that name."""
    with state.lock:
        known = state.apps.get(name)
        state.apps[name] = app = App(
            name=name,
            client_id=client_id or (known.client_id if known else f"id-of-{name}"),
            client_secret=client_secret or (known.client_secret if known else f"secret-of-{name}"),
            redirect_uri=redirect_uri,
            autofetch_url=autofetch_url,
            deauthorize_url=deauthorize_url,
        )
        return app


def authorize(state: BeeminderState, username: str, app_name: str) -> str:
    """Mints the token of that user and app; the one before it dies."""
    with state.lock:
        revoke(state, username, app_name)
        user, app = state.users[username], state.apps[app_name]
        user.app_tokens[app.name] = token = secrets.token_hex(20)
        state.oauth_tokens[token] = (user, app.name)
        return token


def revoke(state: BeeminderState, username: str, app_name: str) -> str | None:
    """Kills the token of that user and app; returns it, None if there was none."""
    with state.lock:
        token = state.users[username].app_tokens.pop(app_name, None)
        if token is not None:
            del state.oauth_tokens[token]
        return token


def caller(state: BeeminderState, *, params: dict[str, Any], authorization: str | None) -> Caller:
    """Finds the user of a request; ApiError 401 with Beeminder's bodies."""
    bearer = None
    if authorization is not None and authorization.lower().startswith("bearer "):
        bearer = authorization[len("bearer ") :].strip()
    personal, oauth = params.get("auth_token"), params.get("access_token") or bearer
    if personal:
        if (user := state.personal_tokens.get(str(personal))) is not None:
            return Caller(user, "personal")
        raise _bad_token("auth_token", str(personal))
    if oauth:
        if (found := state.oauth_tokens.get(str(oauth))) is not None:
            return Caller(*found)
        raise _bad_token("access_token", str(oauth))
    raise ApiError(
        401, {"errors": {"token": "no_token", "message": "No token found in the request."}}
    )


def _bad_token(kind: str, token: str) -> ApiError:
    # The real text goes on after the first sentence; quoting the token is a trap for logs.
    message = f"No such {kind} found. (You sent {token}.)"
    return ApiError(401, {"errors": {kind: "bad_token", "message": message}})
