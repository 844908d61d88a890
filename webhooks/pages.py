"""The pages: what is linked, what came in, and what was sent."""

import re
from pathlib import Path

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from db import approvals, needs
from db.names import source_name
from webhooks import errors, rendering, sessions, shown
from webhooks.receiver import receiver_of

EVENTS_AT_HOME = 10
EVENTS_PER_PAGE = 50
MOST_DATAPOINTS = 60
MOST_NOTES = 14
MOST_RUNS = 100
EVENT_ID = re.compile(r"[0-9a-z]{26}")
STATIC = {
    path.name: path.read_bytes() for path in sorted((Path(__file__).parent / "static").iterdir())
}
MEDIA_TYPES = {".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}


def home(request: Request) -> Response:
    """`/`: the feeds and the last events, or how to sign in."""
    receiver = receiver_of(request)
    with receiver.ledger.read() as session:
        viewer = sessions.viewer(receiver, request, session)
        if viewer is None:
            return rendering.page(
                "welcome.html", title="Waggle", connect=receiver.config.client_id is not None
            )
        now = receiver.clock.now()
        feeds = shown.feeds(session, now, user_id=viewer.only_user_id)
        return rendering.page(
            "home.html",
            title="Waggle: feeds",
            viewer=viewer,
            now=now,
            needs=needs.of(session, now, user_id=viewer.only_user_id),
            feeds=feeds,
            limits=shown.limits(feeds),
            events=shown.events(
                session, now, user_id=viewer.only_user_id, before=None, limit=EVENTS_AT_HOME
            ),
        )


def events(request: Request) -> Response:
    """`/events`: the inbox, page by page."""
    receiver = receiver_of(request)
    before = request.query_params.get("before")
    if before is not None and EVENT_ID.fullmatch(before) is None:
        raise errors.NotFoundError
    with receiver.ledger.read() as session:
        viewer = sessions.viewer(receiver, request, session)
        if viewer is None:
            return _to_welcome()
        now = receiver.clock.now()
        found = shown.events(
            session, now, user_id=viewer.only_user_id, before=before, limit=EVENTS_PER_PAGE
        )
    return rendering.page(
        "events.html",
        title="Waggle: events",
        viewer=viewer,
        now=now,
        events=found,
        older=found[-1]["id"] if len(found) == EVENTS_PER_PAGE else None,
    )


def goal(request: Request) -> Response:
    """`/feeds/{user}/{goal}`: the feeds of one goal, and their datapoints."""
    receiver = receiver_of(request)
    with receiver.ledger.read() as session:
        viewer = sessions.viewer(receiver, request, session)
        if viewer is None:
            return _to_welcome()
        now = receiver.clock.now()
        feeds = shown.feeds(
            session,
            now,
            user_id=viewer.only_user_id,
            username=request.path_params["user"],
            slug=request.path_params["goal"],
        )
        if not feeds:  # other people's feeds do not exist for whoever asks
            raise errors.NotFoundError
        names = {f"{feed.username}/{feed.slug}" for feed in feeds} | {feed.name for feed in feeds}
        names |= {source_name(feed.username, feed.source) for feed in feeds}
        needed = [
            need
            for need in needs.of(session, now, user_id=viewer.only_user_id)
            if need.subject in names and need.kind != approvals.HELD  # shown with their values
        ]
        points = {
            feed.id: shown.datapoints(session, [feed.id], limit=MOST_DATAPOINTS) for feed in feeds
        }
        held = {feed.id: shown.held(session, feed.id) for feed in feeds}
        notes = {feed.id: shown.notes(session, feed.id, limit=MOST_NOTES) for feed in feeds}
    return rendering.page(
        "goal.html",
        title=f"Waggle: {feeds[0].username}/{feeds[0].slug}",
        viewer=viewer,
        now=now,
        feeds=feeds,
        needs=needed,
        points=points,
        held=held,
        notes=notes,
    )


def runs(request: Request) -> Response:
    """`/runs`: the runs that are followed."""
    receiver = receiver_of(request)
    with receiver.ledger.read() as session:
        viewer = sessions.viewer(receiver, request, session)
        if viewer is None:
            return _to_welcome()
        found = shown.runs(session, user_id=viewer.only_user_id, limit=MOST_RUNS)
    return rendering.page(
        "runs.html", title="Waggle: runs", viewer=viewer, now=receiver.clock.now(), runs=found
    )


async def static(request: Request) -> Response:
    """`/static/{name}`: files that ship with the pages."""
    name = request.path_params["name"]
    if name not in STATIC:
        raise errors.NotFoundError
    return Response(
        STATIC[name],
        headers={
            "Content-Type": MEDIA_TYPES[Path(name).suffix],
            "Cache-Control": "public, max-age=3600",
        },
    )


def _to_welcome() -> Response:
    return RedirectResponse("/", status_code=303, headers=rendering.HEADERS)
