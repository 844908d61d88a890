"""Linking a source by OAuth's code flow: out to the vendor, and back with a code.

Only the owner of a source may do it, or an operator, and only in the browser that began: the state
is bound to a cookie, to the source, and to who is signed in. RFC 6749, 4.1 and 10.12.
"""

import hmac
import re
import secrets
from typing import Any

import anyio.to_thread
import itsdangerous
import structlog
from sqlmodel import Session, col, select
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from db.models import Source
from webhooks import errors, rendering, sessions
from webhooks.receiver import Receiver, receiver_of
from webhooks.services import ServiceError
from webhooks.sessions import Viewer

log = structlog.get_logger(__name__)

COOKIE = "waggle_source_link"
SECONDS = 600
CODE = re.compile(r"[!-~]{1,2048}")
LONGEST_REASON = 200
TITLE = "Waggle: not linked"


async def connect(request: Request) -> Response:
    """`GET /{provider}/connect/{source}`: on to the vendor, with a state of this browser's."""
    receiver = receiver_of(request)
    found = await run_in_threadpool(_asked_for, receiver, request)
    if found is None:
        return RedirectResponse("/", status_code=303, headers=rendering.HEADERS)
    viewer, source = found
    state = secrets.token_urlsafe(32)
    try:
        address = await anyio.to_thread.run_sync(
            lambda: receiver.services.source_address(
                source.id or 0, redirect_uri=_back_to(receiver, source), state=state
            ),
            limiter=receiver.identifying,
        )
    except ServiceError as error:
        return _failed(409, f"{error.message}.")
    response = RedirectResponse(address, status_code=302, headers=rendering.HEADERS)
    value = {
        "state": state,
        "source": source.id,
        "user": viewer.user_id,
        "issued": int(receiver.clock.now()),
    }
    response.set_cookie(
        COOKIE,
        str(_signer(receiver).dumps(value)),
        max_age=SECONDS,
        path=f"/{source.provider}/callback",
        secure=receiver.config.secure,
        httponly=True,
        samesite="lax",
    )
    return response


async def callback(request: Request) -> Response:
    """`GET /{provider}/callback`: check the state, have the code exchanged, wake what waited."""
    receiver = receiver_of(request)
    found = await run_in_threadpool(_begun_here, receiver, request)
    if isinstance(found, Response):
        return found
    source, code = found
    try:
        # Not in the threads that pages need: the vendor may be slow.
        woken = await anyio.to_thread.run_sync(
            lambda: receiver.services.link_source(
                source.id or 0, code=code, redirect_uri=_back_to(receiver, source)
            ),
            limiter=receiver.identifying,
        )
    except ServiceError as error:
        log.warning("source.not_linked", source=source.id, code=error.code)
        again = "Nothing was changed. Try again soon." if error.transient else "Please link again."
        return _failed(503 if error.transient else 400, f"{error.message}. {again}")
    if woken:
        receiver.ringer.want([("sync", "default")])
    response = RedirectResponse("/", status_code=303, headers=rendering.HEADERS)
    response.delete_cookie(
        COOKIE, path=request.url.path, secure=receiver.config.secure, httponly=True
    )
    return response


def _asked_for(receiver: Receiver, request: Request) -> tuple[Viewer, Source] | None:
    """Who is looking and the source that they mean; None for who is not signed in.

    Other people's sources do not exist for whoever asks.
    """
    if request.path_params["provider"] not in receiver.config.linkable:
        raise errors.NotFoundError
    with receiver.ledger.read() as session:
        viewer = sessions.viewer(receiver, request, session)
        if viewer is None:
            return None
        named = select(Source).where(
            col(Source.name) == request.path_params["source"].lower(),
            col(Source.provider) == request.path_params["provider"],
        )
        if viewer.only_user_id is not None:
            named = named.where(col(Source.user_id) == viewer.only_user_id)
        found = session.exec(named.limit(2)).all()
        mine = [source for source in found if source.user_id == viewer.user_id]
        if len(found) > 1 and mine:
            found = mine
        if len(found) != 1:  # none, or somebody else's of the same name beside it
            raise errors.NotFoundError
        return viewer, found[0]


def _begun_here(receiver: Receiver, request: Request) -> Response | tuple[Source, str]:
    """The source and the code of a way back that began in this browser, or why it leads nowhere."""
    if request.path_params["provider"] not in receiver.config.linkable:
        raise errors.NotFoundError
    if request.method == "HEAD":
        return _failed(400, "This address is only for the way back from the vendor.")
    value = _state(receiver, request)
    with receiver.ledger.read() as session:
        viewer = sessions.viewer(receiver, request, session)
        source = None if value is None or viewer is None else _still(session, value, viewer)
    if source is None or source.provider != request.path_params["provider"]:
        return _failed(
            400,
            "This did not start in this browser, or it took longer than ten minutes. "
            "Nothing was changed. Please link again.",
        )
    query = request.query_params
    if "error" in query:
        said = (query.get("error_description") or query["error"])[:LONGEST_REASON]
        if query["error"] == "access_denied":
            return _failed(200, f"You did not allow it, so nothing was changed. ({said})")
        return _failed(400, f"The vendor refused: {said}. Nothing was changed.")
    code = query.get("code", "")
    if CODE.fullmatch(code) is None:
        return _failed(400, "The vendor sent no usable code. Please link again.")
    return source, code


def _still(session: Session, value: dict[str, Any], viewer: Viewer) -> Source | None:
    """The source that was asked for, if whoever asked is still who is signed in, and may."""
    source = session.get(Source, value["source"])
    if source is None or value["user"] != viewer.user_id:
        return None
    return source if viewer.operator or source.user_id == viewer.user_id else None


def _state(receiver: Receiver, request: Request) -> dict[str, Any] | None:
    try:
        value: dict[str, Any] = _signer(receiver).loads(request.cookies.get(COOKIE, ""))
    except itsdangerous.BadData:
        return None
    in_time = receiver.clock.now() - float(value["issued"]) < SECONDS
    given = request.query_params.get("state", "")
    fits = hmac.compare_digest(str(value["state"]).encode(), given.encode())
    return value if in_time and fits else None


def _back_to(receiver: Receiver, source: Source) -> str:
    return f"{receiver.config.public_url}/{source.provider}/callback"


def _failed(status: int, message: str) -> Response:
    return rendering.page("error.html", status=status, title=TITLE, message=message)


def _signer(receiver: Receiver) -> itsdangerous.URLSafeSerializer:
    return itsdangerous.URLSafeSerializer(receiver.config.session_key, salt="source link")
