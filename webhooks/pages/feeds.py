"""A feed: which data it used, and whether its link is alive; or all feeds of a goal."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session
from starlette.responses import Response

from db import approvals, needs
from db.models_points import Datapoint
from webhooks import (
    charts,
    choices,
    errors,
    found_feeds,
    link_shown,
    needed,
    shown_days,
    shown_feeds,
    standing,
    visits,
    words,
)
from webhooks.charts import DayShown
from webhooks.found_feeds import Place
from webhooks.services import ServiceError
from webhooks.shown_days import BUILDING, ShownDay
from webhooks.shown_feeds import ShownFeed
from webhooks.standing import Standing
from webhooks.visits import Visit

CHARTS = (14, 30, 90)  # days
LAST_DAYS = 7
MOST_HELD = 4
MOST_LEFT_ALONE = 6
LAST_CALLS = 5
POINTS_PER_PAGE = 30
CALLS_PER_PAGE = 30
TOLD_SECONDS = 86400.0  # for so long a page says what past days that were read came to
EVENT_ID = re.compile(r"[0-9a-z]{26}")
POINT = re.compile(r"(\d{8})-(\d{1,18})")


@dataclass(frozen=True, slots=True)
class Shown:
    """A feed with how it stands, and the address of its page."""

    feed: ShownFeed
    standing: Standing
    path: str
    answered: str


@dataclass(frozen=True, slots=True)
class Correction:
    """A held datapoint: what is there, what the source says, and what either decision does."""

    daystamp: str
    there: float | None
    value: float
    why: str
    held_at: float | None
    seen: str
    approving: str
    dropping: str


def feed(visit: Visit) -> Response:
    """`/feeds/{user}/{goal}`: one feed, or the feeds of a goal that has several."""
    place = found_feeds.place(visit)
    with visit.receiver.ledger.read() as session:
        shown = _of(visit, session, place)
        if len(shown) == 1:
            return _overview(visit, session, shown[0])
        return _cards(visit, session, shown)


def points(visit: Visit) -> Response:
    """`/feeds/{user}/{goal}/datapoints`: everything that was sent, the newest day first."""
    before = visit.query("before")
    mark = None if before is None else POINT.fullmatch(before)
    if before is not None and mark is None:
        raise errors.NotFoundError
    with visit.receiver.ledger.read() as session:
        shown = _one(visit, session)
        found = shown_days.points(
            session,
            shown.feed.id,
            before=None if mark is None else (mark[1], int(mark[2])),
            limit=POINTS_PER_PAGE,
        )
    last = found[-1] if len(found) == POINTS_PER_PAGE else None
    older = None if last is None or last.daystamp is None else f"{last.daystamp}-{last.id}"
    return _page(visit, "feed/points.html", shown, tab="datapoints", points=found, older=older)


def calls(visit: Visit) -> Response:
    """`/feeds/{user}/{goal}/callbacks`: who asked, how long it took, and what it came to."""
    before = visit.query("before")
    if before is not None and EVENT_ID.fullmatch(before) is None:
        raise errors.NotFoundError
    with visit.receiver.ledger.read() as session:
        shown = _one(visit, session)
        found = shown_days.calls(
            session, visit.now, shown.feed.goal_id, before=before, limit=CALLS_PER_PAGE
        )
    older = found[-1]["id"] if len(found) == CALLS_PER_PAGE else None
    return _page(visit, "feed/calls.html", shown, tab="callbacks", calls=found, older=older)


def progress(visit: Visit) -> Response:
    """`/feeds/{user}/{goal}/progress`: how far reading past days again is, for htmx."""
    with visit.receiver.ledger.read() as session:
        shown = _one(visit, session)
        found = _progress(visit, session, shown.feed)
    if not visit.fragment:
        return visit.go(f"{shown.path}#past")
    return visit.page("feed/progress.html", path=shown.path, progress=found)


def _of(visit: Visit, session: Session, place: Place) -> list[Shown]:
    found = shown_feeds.of_goal(
        session,
        visit.now,
        user_id=visit.only_user_id,
        username=place.username,
        slug=place.slug,
        label=place.label,
    )
    if not found:  # other people's feeds do not exist for whoever asks
        raise errors.NotFoundError
    config = visit.receiver.config
    alone = len(found) == 1 and place.label is None
    return [
        Shown(
            each,
            standing.of(
                each,
                visit.now,
                goal_page=f"{config.beeminder_url}/{each.username}/{each.slug}",
                can_connect=config.client_id is not None,
            ),
            standing.path_of(each, alone=alone),
            standing.answered(each.call, visit.now, hold=config.hold_seconds),
        )
        for each in found
    ]


def _one(visit: Visit, session: Session) -> Shown:
    shown = _of(visit, session, found_feeds.place(visit))
    if len(shown) > 1:
        raise errors.NotFoundError
    return shown[0]


def _page(visit: Visit, template: str, shown: Shown, **values: Any) -> Response:
    return visit.page(
        template,
        title=f"{shown.feed.name} · Waggle",
        shown=shown,
        feed=shown.feed,
        goal_page=f"{visit.receiver.config.beeminder_url}/{shown.feed.username}/{shown.feed.slug}",
        **values,
    )


def _cards(visit: Visit, session: Session, shown: Sequence[Shown]) -> Response:
    first = shown[0].feed
    return visit.page(
        "feed/goal.html",
        title=f"{first.goal} · Waggle",
        cards=shown,
        undo=link_shown.undo_of(session, first.user_id, first.slug, visit.now),
        goal=first.goal,
        path=standing.path(first.username, first.slug),
        any_paused=any(each.feed.state == "paused" for each in shown),
        any_runs=any(each.feed.next_at is not None for each in shown),
    )


def _overview(visit: Visit, session: Session, shown: Shown) -> Response:
    one = shown.feed
    wide = _chart_days(visit)
    days = shown_days.between(session, one.id, shown_days.stamps(_today(visit, one), wide))
    held = shown_days.held(session, one.id, limit=MOST_HELD)
    about = [
        f"feed:{one.id}",
        f"goal:{one.goal_id}",
        f"source:{one.source_id}",
        f"user:{one.user_id}",
    ]
    notices = needs.of(session, visit.now, user_id=one.user_id, about=about)
    past = _progress(visit, session, one)
    return _page(
        visit,
        "feed/feed.html",
        shown,
        tab="",
        undo=link_shown.undo_of(session, one.user_id, one.slug, visit.now),
        wide=wide,
        charts=CHARTS,
        chart=charts.days(
            [_in_chart(visit, one, day) for day in days], label=_label(one), unit=_unit(one, days)
        )
        if any(day.said is not None or day.points for day in days)
        else "",
        days=[day for day in reversed(days) if day.points or day.said is not None or day.why][
            :LAST_DAYS
        ],
        builds=one.shape in BUILDING,
        corrections=[_correction(one, row) for row in held],
        all_held=one.held,
        all_seen=seen(held) if one.held <= MOST_HELD else "",
        left_alone=shown_days.left_alone(session, one.id, limit=MOST_LEFT_ALONE),
        calls=shown_days.calls(session, visit.now, one.goal_id, before=None, limit=LAST_CALLS),
        needs=[
            needed.by(need, beeminder=visit.receiver.config.beeminder_url)
            for need in notices
            if need.kind != approvals.HELD  # shown with their values
        ],
        progress=past,
        at_work=any(each.row.finished_at is None for each in past),
        today=words.day(_today(visit, one)),
        first_day=visit.query("from") or words.day(one.since),
        last_day=visit.query("to") or words.day(_today(visit, one)),
    )


def _chart_days(visit: Visit) -> int:
    asked = visit.query("days")
    if asked is None:
        return CHARTS[0]
    if asked not in {str(each) for each in CHARTS}:
        raise errors.NotFoundError
    return int(asked)


def _today(visit: Visit, one: ShownFeed) -> str:
    try:
        return visit.receiver.services.day(
            None, timezone=one.timezone, deadline=one.deadline, now=visit.now
        ).daystamp
    except ServiceError:  # a zone that this machine does not know: the feed fails with that
        return visit.receiver.services.day(
            None, timezone=None, deadline=one.deadline, now=visit.now
        ).daystamp


def _progress(visit: Visit, session: Session, one: ShownFeed) -> list[shown_days.Progress]:
    return shown_days.progress(session, [one.id], since=visit.now - TOLD_SECONDS)


def _label(one: ShownFeed) -> str:
    return f"{one.metric} of {one.source}"


def _unit(one: ShownFeed, days: Sequence[ShownDay]) -> str:
    if one.shape in BUILDING:
        return ""
    return next((day.unit for day in reversed(days) if day.unit), "")


def _in_chart(visit: Visit, one: ShownFeed, day: ShownDay) -> DayShown:
    """A day as a bar: what the source says, or what that comes to where days build on others."""
    notes = list(day.why)
    source = day.said
    if one.shape in BUILDING:
        source = day.comes_to
        if day.said is not None:
            notes.insert(0, f"of its own {words.number(day.said)} {day.unit or ''}".strip())
    if day.landed_at is not None:
        notes.append(f"landed {words.local(day.landed_at, visit.viewer.zone)}")
    return DayShown(daystamp=day.daystamp, source=source, there=day.there, note="; ".join(notes))


def _correction(one: ShownFeed, row: Datapoint) -> Correction:
    return Correction(
        daystamp=row.daystamp or "",
        there=row.landed_value,
        value=row.value,
        why=row.error or "no reason is known",
        held_at=row.held_at,
        seen=seen([row]),
        approving=choices.approving(row.landed_value, row.value, yaw=one.yaw, shape=one.shape),
        dropping=choices.dropping(row.landed_value),
    )


def seen(rows: Sequence[Datapoint]) -> str:
    """What somebody has seen who decides about these: nothing else is decided with it."""
    known: list[Any] = sorted((row.id, row.content_hash, row.value) for row in rows)
    return hashlib.sha256(repr(known).encode()).hexdigest()[:16]


ROUTES = (
    visits.page("/feeds/{user}/{goal}", feed),
    visits.page("/feeds/{user}/{goal}/datapoints", points),
    visits.page("/feeds/{user}/{goal}/callbacks", calls),
    visits.page("/feeds/{user}/{goal}/progress", progress),
)
