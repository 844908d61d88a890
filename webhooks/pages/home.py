"""The front page: how one's feeds stand and what needs somebody, or how to sign in."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from markupsafe import Markup
from sqlmodel import Session, col, select
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from db import inbox_listed, needs
from db.models import Source, User
from db.states import SourceState, UserState
from webhooks import (
    charts,
    errors,
    feed_streams,
    needed,
    places,
    rendering,
    said,
    sessions,
    shown_feeds,
    standing,
    visits,
)
from webhooks.event_stream import HEADERS, EventStream
from webhooks.needed import Needed
from webhooks.receiver import receiver_of
from webhooks.services import ServiceError
from webhooks.shown_feeds import Group, ShownFeed, Wanted
from webhooks.standing import Standing
from webhooks.visits import Visit

EVENTS_AT_HOME = 4
FEEDS_PER_PAGE = 20
NEEDS_AT_HOME = 5
SPARK_DAYS = 14
MOST_PAGES = 10_000
LONGEST_WORDS = 80


@dataclass(frozen=True, slots=True)
class Row:
    """A feed in the list."""

    feed: ShownFeed
    standing: Standing
    path: str
    answered: str
    spark: Markup


@dataclass(frozen=True, slots=True)
class Asked:
    """Which part of the list is looked at."""

    words: str
    group: Group | None
    page: int

    def address(self, **other: object) -> str:
        """The front page with this filter, changed by `other`."""
        values = {"q": self.words, "state": self.group or "", "page": self.page} | other
        if values["page"] == 1:
            values["page"] = ""
        query = urlencode({name: str(value) for name, value in values.items() if value})
        return f"/?{query}" if query else "/"


def welcome(request: Request) -> Response:
    """What a stranger sees: what this is, and the way in. Who has just left is told so."""
    receiver = receiver_of(request)
    told = said.take(receiver, request)
    response = rendering.page(
        "welcome.html",
        title="Waggle",
        connect=receiver.config.client_id is not None,
        back=places.ours(request.query_params.get("next")),
        told=told,
    )
    if told is not None:
        said.forget(receiver, response)
    return response


def home(visit: Visit) -> Response:
    """`/`: the feeds and the last events; what changes of it alone where htmx asks for that."""
    whose, now, asked = visit.only_user_id, visit.now, _asked(visit)
    with visit.receiver.ledger.read() as session:
        # First, so that what changes while the rest is read is told by the stream.
        seen = feed_streams.first(session, whose)
        counts = shown_feeds.counts(session, whose)
        found = shown_feeds.page(
            session,
            now,
            Wanted(user_id=whose, words=asked.words, group=asked.group),
            limit=FEEDS_PER_PAGE + 1,
            offset=FEEDS_PER_PAGE * (asked.page - 1),
        )
        feeds = found[:FEEDS_PER_PAGE]
        rows = _rows(visit, session, feeds)
        needed_now = _needs(visit, session)
        events = inbox_listed.rows(
            session, now, inbox_listed.Asked(user_id=whose), before=None, limit=EVENTS_AT_HOME
        )
    return visit.page(
        "home_feeds.html" if visit.fragment else "home.html",
        title="Feeds · Waggle",
        asked=asked,
        seen=seen,
        counts=counts,
        total=sum(counts.values()),
        searched=sum(counts.values()) > FEEDS_PER_PAGE or asked.words or asked.group,
        rows=rows,
        newer=asked.address(page=asked.page - 1) if asked.page > 1 else None,
        older=asked.address(page=asked.page + 1) if len(found) > FEEDS_PER_PAGE else None,
        needs=needed_now[:NEEDS_AT_HOME],
        more_needs=len(needed_now) > NEEDS_AT_HOME,
        limits=shown_feeds.limits(feeds),
        events=events,
    )


def _asked(visit: Visit) -> Asked:
    group, page = visit.query("state"), visit.query("page") or "1"
    if group is not None and group not in set(Group):
        raise errors.NotFoundError
    if not page.isdecimal() or not 1 <= int(page) <= MOST_PAGES:
        raise errors.NotFoundError
    text = " ".join((visit.query("q") or "").split())[:LONGEST_WORDS]
    return Asked(text, None if group is None else Group(group), int(page))


def _rows(visit: Visit, session: Session, feeds: Sequence[ShownFeed]) -> list[Row]:
    config = visit.receiver.config
    todays = {feed.id: _today(visit, feed) for feed in feeds}
    first = min((_stamps(today)[0] for today in todays.values()), default="")
    values = shown_feeds.values(session, [feed.id for feed in feeds], first=first)
    rows = []
    for feed in feeds:
        said = [values.get(feed.id, {}).get(stamp) for stamp in _stamps(todays[feed.id])]
        rows.append(
            Row(
                feed,
                standing.of(
                    feed,
                    visit.now,
                    goal_page=f"{config.beeminder_url}/{feed.username}/{feed.slug}",
                    can_connect=config.client_id is not None,
                ),
                standing.path_of(feed),
                standing.answered(feed.call, visit.now, hold=config.hold_seconds),
                charts.spark(said, label=_in_words(said)),
            )
        )
    return rows


def _today(visit: Visit, feed: ShownFeed) -> str:
    try:
        return visit.receiver.services.day(
            None, timezone=feed.timezone, deadline=feed.deadline, now=visit.now
        ).daystamp
    except ServiceError:  # a zone that this machine does not know: the feed fails with that
        return f"{datetime.fromtimestamp(visit.now, visit.viewer.zone):%Y%m%d}"


def _stamps(today: str) -> list[str]:
    last = datetime.strptime(today, "%Y%m%d")  # noqa: DTZ007 -- a day, no instant
    return [f"{last - timedelta(days=ago):%Y%m%d}" for ago in reversed(range(SPARK_DAYS))]


def _in_words(said: Sequence[float | None]) -> str:
    known = [value for value in said if value is not None]
    if not known:
        return "nothing"
    low, high = f"{min(known):.4g}", f"{max(known):.4g}"
    return low if low == high else f"{low} to {high}"


def _needs(visit: Visit, session: Session) -> list[Needed]:
    """What needs a person, the most urgent first: one more than is shown, if there are."""
    whose, most = visit.only_user_id, NEEDS_AT_HOME + 1
    people = select(User.username).where(User.state == UserState.REAUTHORIZE)
    sources = (
        select(Source.name, User.username, Source.last_error)
        .join(User, col(User.id) == col(Source.user_id))
        .where(Source.state == SourceState.REAUTHORIZE)
    )
    if whose is not None:
        people, sources = people.where(User.id == whose), sources.where(User.id == whose)
    connect = visit.receiver.config.client_id is not None
    found = [
        needed.signed_out(name, can_connect=connect)
        for name in session.exec(people.order_by(User.username).limit(most))
    ]
    found += [
        needed.refused(*source)
        for source in session.exec(sources.order_by(User.username, Source.name).limit(most))
    ]
    # Their notices say the same as these two, without a way to mend it.
    notices = needs.of(session, visit.now, user_id=whose, without=needs.DEAD, limit=most)
    beeminder = visit.receiver.config.beeminder_url
    return [*found, *(needed.by(need, beeminder=beeminder) for need in notices)]


async def stream(request: Request) -> Response:
    """`/feeds/stream`: an event when something has changed of what the front page shows."""
    whose, first = await run_in_threadpool(_first, request)
    if request.method == "HEAD":
        return Response(headers=HEADERS)
    streams = receiver_of(request).feed_streams
    seen = request.headers.get("last-event-id") or request.query_params.get("seen")
    watcher = streams.join(whose, first, seen=seen)
    if watcher is None:
        raise errors.LaterError("no_room", "too many people watch their feeds now; come again")
    return EventStream(streams.parts(watcher), gone=lambda: streams.leave(watcher))


def _first(request: Request) -> tuple[int | None, str]:
    receiver = receiver_of(request)
    with receiver.ledger.read() as session:
        viewer = sessions.viewer(receiver, request, session)
        if viewer is None:
            raise errors.AnswerError(401, "not_signed_in", "sign in at / first")
        return viewer.only_user_id, feed_streams.first(session, viewer.only_user_id)


ROUTES = (visits.front("/", home, welcome), visits.guarded("/feeds/stream", stream))
