"""Signing in with the one-time link of `waggle login`, and signing out."""

import structlog
from sqlalchemy import update
from sqlmodel import Session, col
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from db import people
from db.models import LoginLink
from webhooks import bodies, rendering, sessions
from webhooks.receiver import Receiver, receiver_of

log = structlog.get_logger(__name__)


def login(request: Request) -> Response:
    """`GET /login/{secret}`: works once, until it expires."""
    receiver = receiver_of(request)
    if request.method == "HEAD":  # what looks ahead must not use the link up
        return rendering.page("error.html", title="Waggle", message="Open this link to sign in.")
    with receiver.ledger.write() as session:
        username = use_link(session, receiver, request.path_params["secret"])
        user = None if username is None else people.user_named(session, username)
    if username is None:
        return rendering.page(
            "error.html",
            status=400,
            title="Waggle: not signed in",
            message="This link has expired or was used before. Make a new one with: waggle login",
        )
    log.info("login.by_link")
    response = RedirectResponse("/", status_code=303, headers=rendering.HEADERS)
    sessions.start(receiver, response, user=user, operator=True)
    return response


def use_link(session: Session, receiver: Receiver, secret: str) -> str | None:
    """Whom the link signs in, or None when it is unknown, used or too old."""
    now = receiver.clock.now()
    used = session.connection().execute(
        update(LoginLink)
        .where(
            col(LoginLink.secret_hash).in_(receiver.vault.fingerprints(secret)),
            col(LoginLink.used_at).is_(None),
            col(LoginLink.expires_at) > now,
        )
        .values(used_at=now)
        .returning(col(LoginLink.username))
    )
    return used.scalars().first()


async def logout(request: Request) -> Response:
    """`POST /logout` from a form of ours."""
    receiver = receiver_of(request)
    values = await bodies.fields(request, limit=receiver.config.max_body)
    if not await run_in_threadpool(sessions.csrf_fits, receiver, request, values.get("csrf")):
        return rendering.page(
            "error.html",
            status=403,
            title="Waggle: not signed out",
            message="This form is out of date. Go back, load the page again, and try once more.",
        )
    response = RedirectResponse("/", status_code=303, headers=rendering.HEADERS)
    sessions.end(receiver, response)
    return response
