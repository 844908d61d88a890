"""Connecting with Beeminder: its implicit grant puts the token into the query of our address.

So the callback answers with a redirect at once, forbids that the address is passed on, and
believes nothing in it but a state that this browser was given and a token that Beeminder knows.
https://api.beeminder.com/#auth
"""

import hmac
import re
import secrets
from typing import Any
from urllib.parse import urlencode

import anyio.to_thread
import itsdangerous
import structlog
from sqlalchemy.exc import IntegrityError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from webhooks import linking, places, rendering, sessions
from webhooks.receiver import Receiver, receiver_of
from webhooks.services import Identity, ServiceError

log = structlog.get_logger(__name__)

COOKIE = "waggle_oauth"
PATH = "/beeminder/callback"
SECONDS = 600
TOKEN = re.compile(r"[!-~]{1,512}")
LONGEST_REASON = 200


def connect(request: Request) -> Response:
    """`GET /beeminder/connect`: on to Beeminder, with a state that only this browser has."""
    receiver = receiver_of(request)
    config = receiver.config
    if config.client_id is None:
        return rendering.page(
            "error.html",
            status=404,
            title="Waggle: no app",
            message="No Beeminder app is registered here. The operator can sign in with the link "
            "that `waggle login` prints.",
        )
    state = secrets.token_urlsafe(32)
    query = urlencode(
        {
            "client_id": config.client_id,
            "redirect_uri": f"{config.public_url}{PATH}",
            "response_type": "token",
            "state": state,
        }
    )
    response = RedirectResponse(
        f"{config.beeminder_url}/apps/authorize?{query}", status_code=302, headers=rendering.HEADERS
    )
    value = {
        "state": state,
        "issued": int(receiver.clock.now()),
        "next": places.ours(request.query_params.get("next")),
    }
    response.set_cookie(
        COOKIE,
        str(_signer(receiver).dumps(value)),
        max_age=SECONDS,
        path=PATH,
        secure=config.secure,
        httponly=True,
        samesite="lax",
    )
    return response


async def callback(request: Request) -> Response:
    """`GET /beeminder/callback`: check the state, ask Beeminder whose token it is, store it."""
    receiver = receiver_of(request)
    refusal = await run_in_threadpool(_refusal, receiver, request)
    if refusal is not None:
        return refusal
    token = request.query_params["access_token"]
    try:
        # Not in the threads that pages need: Beeminder may be slow.
        identity = await anyio.to_thread.run_sync(
            receiver.services.identify, token, limiter=receiver.identifying
        )
    except ServiceError as error:
        log.warning("oauth.not_identified", code=error.code, transient=error.transient)
        if error.transient:
            return _failed(
                503, "Beeminder does not answer just now. Nothing was changed. Try again soon."
            )
        return _failed(400, "Beeminder does not know this token. Please connect again.")
    linked = await run_in_threadpool(_link, receiver, identity, token)
    log.info("oauth.linked", user=linked.user.id, woken=linked.woken)
    if linked.woken:
        receiver.ringer.want([("sync", "default")])
    response = RedirectResponse(
        _place(receiver, request), status_code=303, headers=rendering.HEADERS
    )
    response.delete_cookie(COOKIE, path=PATH, secure=receiver.config.secure, httponly=True)
    await run_in_threadpool(sessions.start, receiver, response, user=linked.user)
    return response


def _link(receiver: Receiver, identity: Identity, token: str) -> linking.Linked:
    now = receiver.clock.now()
    for last in (False, True):
        try:
            with receiver.ledger.write() as session:
                return linking.link(
                    session, receiver.vault, identity=identity, token=token, now=now
                )
        except IntegrityError:
            # The same person connected twice at the same moment: now there is a row to find.
            if last:
                raise
    raise AssertionError


def _refusal(receiver: Receiver, request: Request) -> Response | None:
    """Why this way back leads nowhere, or None when it carries a token for this browser."""
    if request.method == "HEAD":
        return _failed(400, "This address is only for the way back from Beeminder.")
    if not _state_fits(receiver, request):
        return _failed(
            400,
            "This did not start in this browser, or it took longer than ten minutes. "
            "Nothing was changed. Please connect again.",
        )
    query = request.query_params
    if "error" in query:
        return _refused(query["error"], query.get("error_description", ""))
    if TOKEN.fullmatch(query.get("access_token", "")) is None:
        return _failed(400, "Beeminder sent no usable token. Please connect again.")
    return None


def _began(receiver: Receiver, request: Request) -> dict[str, Any] | None:
    """What this browser was given when it set out."""
    try:
        value: dict[str, Any] = _signer(receiver).loads(request.cookies.get(COOKIE, ""))
    except itsdangerous.BadData:
        return None
    return value


def _place(receiver: Receiver, request: Request) -> str:
    """The page that whoever signed in had asked for."""
    return places.ours((_began(receiver, request) or {}).get("next"))


def _state_fits(receiver: Receiver, request: Request) -> bool:
    value = _began(receiver, request)
    if value is None:
        return False
    in_time = receiver.clock.now() - float(value["issued"]) < SECONDS
    given = request.query_params.get("state", "")
    return in_time and hmac.compare_digest(str(value["state"]).encode(), given.encode())


def _refused(error: str, description: str) -> Response:
    said = f"Beeminder says: {description[:LONGEST_REASON]}" if description else ""
    if error == "access_denied":
        return rendering.page(
            "error.html",
            title="Waggle: not connected",
            message=f"You did not allow the connection, so nothing was changed. {said}",
        )
    return _failed(400, f"Beeminder refused the connection. {said}")


def _failed(status: int, message: str) -> Response:
    return rendering.page(
        "error.html", status=status, title="Waggle: not connected", message=message
    )


def _signer(receiver: Receiver) -> itsdangerous.URLSafeSerializer:
    return itsdangerous.URLSafeSerializer(receiver.config.session_key, salt="oauth state")
