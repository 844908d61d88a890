"""Who may hear the progress of a run: how the token is shown, and what a wrong one gets."""

import json
from dataclasses import dataclass

from starlette.responses import JSONResponse
from starlette.websockets import WebSocket

from simulators.rime_http import CODES, HttpError
from simulators.rime_live_switches import Switches
from simulators.rime_state import Person, Project, RimeState, Run
from simulators.rime_tokens import Tokens

_OWN_CODES = 4000  # a status of HTTP as a close code: 4404


@dataclass(frozen=True, slots=True)
class Door:
    """Knows tokens and runs. Every refusal is an HttpError."""

    state: RimeState
    tokens: Tokens
    switches: Switches

    def shown(self, websocket: WebSocket) -> str:
        """The token of the upgrade, "" for none. Only the place that is switched on counts."""
        match self.switches.auth:
            case "header":
                scheme, _, token = websocket.headers.get("authorization", "").partition(" ")
                return token.strip() if scheme.lower() == "bearer" else ""
            case "subprotocol":
                offered = offers(websocket)
                after = [self.switches.subprotocol] if self.switches.subprotocol else []
                return offered[-1] if offered[:-1] == after and offered else ""
            case "query":
                return websocket.query_params.get(self.switches.token_name, "")
        return ""

    def told(self, text: str) -> str:
        """The token of the first message, or of the packet that connects with Socket.IO."""
        if self.switches.form == "socketio":
            text = text.removeprefix("40").removeprefix(f"{self.switches.namespace},")
        try:
            given = json.loads(text)
        except ValueError:
            return ""
        if not isinstance(given, dict):
            return ""
        if self.switches.form != "socketio" and given.get("type") not in ("auth", "authenticate"):
            return ""
        token = given.get(self.switches.token_name)
        return token if isinstance(token, str) else ""

    def person(self, token: str) -> Person:
        """Whose the token is. HttpError 401."""
        with self.state.lock:
            return self.tokens.who(f"Bearer {token}")

    def run(self, person: Person, run_id: str) -> Run:
        """The run, if this person may see it. HttpError 403 or 404."""
        with self.state.lock:
            project, run = self._find(run_id)
            if person.projects is not None and project.id not in person.projects:
                raise HttpError(403, "You do not have access to this project")
            self.state.grow_run(run)
            if run.is_over and self.switches.gone == "missing":
                raise HttpError(404, "The run has ended")
            return run

    def _find(self, run_id: str) -> tuple[Project, Run]:
        for project in self.state.projects.values():
            for owners in (project.connectors, project.pipelines):
                for owner in owners.values():
                    if run_id in owner.runs:
                        return project, owner.runs[run_id]
        raise HttpError(404, "The run does not exist")

    async def deny(self, websocket: WebSocket, status: int, message: str, **headers: str) -> None:
        """Answer the upgrade with a status, in the envelope that the API has."""
        body = {"code": CODES.get(status, "unavailable"), "message": message}
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        await websocket.send_denial_response(JSONResponse({"error": body}, status, fields))

    def close_code(self, error: HttpError) -> int:
        """The code to close with for an error that is found after the upgrade."""
        status = error.status
        return self.switches.denial_code if status == 401 else _OWN_CODES + status  # noqa: PLR2004 - HTTP

    def chosen(self, websocket: WebSocket) -> str | None:
        """The subprotocol to take; None where the client offers none, or the switch says so."""
        offered = offers(websocket)
        return offered[0] if offered and self.switches.echoes else None


def offers(websocket: WebSocket) -> list[str]:
    """The subprotocols that the client offers."""
    found: list[str] = websocket.scope.get("subprotocols", [])
    return found
