"""`/apps/authorize`: the implicit grant with its consent page."""

from collections.abc import Mapping
from html import escape
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from simulators import beeminder_html as html
from simulators import beeminder_tokens as tokens
from simulators.beeminder_state import App, BeeminderState

_SESSION = "simulated_beeminder_user"
_DENIED = "The user denied you access"


class OAuth:
    """`answer` is the handler of GET and POST `/apps/authorize`.

    Who is logged in at Beeminder is the parameter `username`, else the session cookie, else the
    only user. With `auto=1` that person consents without being asked.
    """

    def __init__(self, state: BeeminderState) -> None:
        self.state = state

    async def answer(self, request: Request) -> Response:
        """The consent page, or the way back to the app."""
        params = dict(request.query_params)
        if request.method == "POST":
            body = (await request.body()).decode()
            params.update(parse_qsl(body, keep_blank_values=True))
        app = next(
            (a for a in self.state.apps.values() if a.client_id == params.get("client_id")), None
        )
        if app is None:
            return _error_page("invalid_client", "No app has this client_id.")
        if params.get("redirect_uri") not in app.redirect_uri.split(";"):
            return _error_page("redirect_uri_mismatch", "The redirect_uri is not the registered.")
        if params.get("response_type") != "token":
            return _back(
                params,
                error="unsupported_response_type",
                error_description="Response type must be token",
            )
        return self._decide(request, params, app)

    def _decide(self, request: Request, params: Mapping[str, str], app: App) -> Response:
        username = self._who(request, params)
        decision = params.get("decision") if request.method == "POST" else None
        if decision == "deny":
            return _back(params, error="access_denied", error_description=_DENIED)
        known = username is not None and app.name in self.state.users[username].app_tokens
        if username is not None and (decision or params.get("auto") == "1" or known):
            token = tokens.authorize(self.state, username, app.name)
            answer = _back(params, access_token=token, username=username)
            answer.set_cookie(_SESSION, username, httponly=True, samesite="lax")
            return answer
        return self._consent(params, app)

    def _who(self, request: Request, params: Mapping[str, str]) -> str | None:
        for name in (params.get("username"), request.cookies.get(_SESSION)):
            if name in self.state.users:
                return name
        return next(iter(self.state.users)) if len(self.state.users) == 1 else None

    def _consent(self, params: Mapping[str, str], app: App) -> Response:
        names = ("client_id", "redirect_uri", "response_type", "state")
        hidden = "".join(
            f'<input type=hidden name="{name}" value="{escape(params[name])}">'
            for name in names
            if name in params
        )
        people = "".join(f"<option>{escape(name)}</option>" for name in self.state.users)
        return html.page(
            f"Authorize {app.name}?",
            f"<section><p><strong>{escape(app.name)}</strong> would like to read and change your"
            f" goals and data.</p><form method=post action=/apps/authorize>{hidden}"
            f"<p><label>Signed in as <select name=username>{people}</select></label></p>"
            "<button class=main name=decision value=authorize>Authorize</button> "
            "<button name=decision value=deny>Deny</button></form></section>",
        )


def _error_page(error: str, text: str) -> Response:
    return html.page(
        "This app can't be authorized",
        f"<section><p class=bad><code>{escape(error)}</code>: {escape(text)}</p></section>",
        status=400,
    )


def _back(params: Mapping[str, str], **answer: str) -> RedirectResponse:
    """Redirects to the app with `answer` in the query, and its `state` if it sent one."""
    if "state" in params:
        answer["state"] = params["state"]
    target = urlsplit(params["redirect_uri"])
    query = urlencode([*parse_qsl(target.query, keep_blank_values=True), *answer.items()])
    return RedirectResponse(urlunsplit(target._replace(query=query)), status_code=302)
