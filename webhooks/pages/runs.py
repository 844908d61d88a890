"""Runs for people: a page, and a stream of events that keeps it, or a program, up to date."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from db import runs_listed
from webhooks import errors, run_streams, sessions, visits, words
from webhooks.event_stream import HEADERS, EventStream
from webhooks.receiver import receiver_of
from webhooks.visits import Visit

EVENTS = "text/event-stream"
LONGEST_NUMBER = 9
# What the script of the page makes rows from.
BLANK: dict[str, object] = {
    **dict.fromkeys(("run_id", "source_name", "stream", "state"), ""),
    **dict.fromkeys(("connector", "pipeline", "progress", "rows", "error", "stream_error")),
    **dict.fromkeys(("seen_at", "started_at", "finished_at")),
    "attempt": 1,
    "reconnects": 0,
    "counters": {},
}


def runs(visit: Visit) -> Response:
    """`/runs`: the runs that are followed; the first page of them is kept up to date."""
    skip = _number(visit.query("skip"))
    with visit.receiver.ledger.read() as session:
        found = runs_listed.rows(
            session,
            limit=run_streams.MOST_RUNS + 1,
            user_id=visit.only_user_id,
            running_first=True,
            skip=skip,
        )
    return visit.page(
        "runs.html",
        title="Runs · Waggle",
        runs=found[: run_streams.MOST_RUNS],
        live=skip == 0,
        newer=_page(max(0, skip - run_streams.MOST_RUNS)) if skip else None,
        older=_page(skip + run_streams.MOST_RUNS) if len(found) > run_streams.MOST_RUNS else None,
        blank=BLANK,
        states=words.STATES,
        streams=words.STREAMS,
    )


def _page(skip: int) -> str:
    return f"/runs?skip={skip}" if skip else "/runs"


def _number(text: str | None) -> int:
    if text is None:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER):
        raise errors.NotFoundError
    return int(text)


async def stream(request: Request) -> Response:
    """`/runs/stream`: one's runs as an event at once, and again when something changed."""
    whose, first = await run_in_threadpool(_first, request)
    if request.method == "HEAD":
        return Response(headers=HEADERS)
    streams = receiver_of(request).run_streams
    watcher = streams.join(whose, first)
    if watcher is None:
        raise errors.LaterError("no_room", "too many people watch runs now; come again")
    return EventStream(streams.parts(watcher), gone=lambda: streams.leave(watcher))


def _first(request: Request) -> tuple[int | None, str]:
    receiver = receiver_of(request)
    with receiver.ledger.read() as session:
        viewer = sessions.viewer(receiver, request, session)
        if viewer is None:
            raise errors.AnswerError(401, "not_signed_in", "sign in at / first")
        return viewer.only_user_id, run_streams.first(session, viewer.only_user_id)


_PAGE = visits.page("/runs", runs)


async def page_or_stream(request: Request) -> Response:
    """`/runs` is a stream for whoever accepts events."""
    if EVENTS in request.headers.get("accept", ""):
        return await stream(request)
    return await _PAGE.answer(request)


ROUTES = (
    visits.guarded("/runs", page_or_stream),
    visits.guarded("/runs/stream", stream),
)
