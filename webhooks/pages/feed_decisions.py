"""What a person decides about days: a held correction is sent or dropped, a day is left alone."""

from collections.abc import Sequence

from sqlmodel import Session
from starlette.responses import Response

from db import approvals
from db.models_points import Datapoint
from db.states import DatapointState
from webhooks import bodies, found_feeds, visits, words
from webhooks.found_feeds import Found
from webhooks.pages.feeds import seen
from webhooks.visits import Visit

ALL = "all"


def approve(visit: Visit) -> Response:
    """Send what the source says."""
    return _decide(visit, drop=False)


def drop(visit: Visit) -> Response:
    """Leave what is at Beeminder."""
    return _decide(visit, drop=True)


def _decide(visit: Visit, *, drop: bool) -> Response:
    day = visit.text("day", longest=10)
    here = found_feeds.place(visit).path
    with visit.receiver.ledger.write() as session:
        found = found_feeds.of(visit, session)
        daystamp = None
        if day != ALL:
            bounds = found_feeds.day(visit, found, day)
            if bounds is None:
                raise bodies.malformed(f"{day!r} is no day", field="day")
            daystamp = bounds.daystamp
        held = approvals.held(session, found.ids, daystamp=daystamp, for_update=True)
        if not held:
            say = "Nothing of it is held any more."
            return visit.go(here, say=say, kind="warn")
        if visit.form.get("seen") != seen(held):  # the source has changed its mind meanwhile
            say = "What is held has changed since you saw it. Look again, then decide."
            return visit.go(f"{here}#held", say=say, kind="warn")
        about = [_told(row) for row in held]
        decide = approvals.drop if drop else approvals.approve
        rows = decide(session, found.ids, daystamp=daystamp, now=visit.now)
        on = False if drop else _read_on(session, found, rows, visit.now)
        visit.did(
            session,
            "correction.drop" if drop else "correction.approve",
            found.names,
            user_id=found.user.id,
            corrections=about,
        )
    bells = [("push", "default")] if any(r.state == DatapointState.PENDING for r in rows) else []
    visit.receiver.ringer.want([*bells, *([("backfill", "bulk")] if on else [])])
    count = "1 correction" if len(about) == 1 else f"{len(about)} corrections"
    if drop:
        return visit.go(here, say=f"{count} dropped: what is at Beeminder stays.")
    more = " The days after it build on it and are read again." if on else ""
    return visit.go(here, say=f"{count} approved, and sent within seconds.{more}")


def _told(row: Datapoint) -> dict[str, object]:
    return {"day": row.daystamp, "there": row.landed_value, "value": row.value}


def _read_on(session: Session, found: Found, rows: Sequence[Datapoint], now: float) -> bool:
    asked = [approvals.read_on(session, feed, rows, now=now) for feed in found.feeds]
    return any(each is not None for each in asked)


def pin(visit: Visit) -> Response:
    """Leave a day as it is at Beeminder, whatever the source says."""
    return _pin(visit, pinned=True)


def unpin(visit: Visit) -> Response:
    """Look at a day again."""
    return _pin(visit, pinned=False)


def _pin(visit: Visit, *, pinned: bool) -> Response:
    day = visit.text("day", longest=10)
    here = found_feeds.place(visit).path
    kept_back: list[Datapoint] = []
    with visit.receiver.ledger.write() as session:
        found = found_feeds.of(visit, session)
        bounds = found_feeds.day(visit, found, day)
        if bounds is None:
            raise bodies.malformed(f"{day!r} is no day", field="day")
        date = words.day(bounds.daystamp)
        if bounds.starts_at > visit.now:
            return visit.go(here, say=f"{date} has not begun yet.", kind="bad")
        for feed_id in found.ids:  # in the order of their ids, as feeds are locked everywhere
            kept_back += approvals.pin(
                session,
                feed_id,
                daystamp=bounds.daystamp,
                pinned=pinned,
                bounds=(bounds.starts_at, bounds.ends_at),
                now=visit.now,
            )
        action = "day.pin" if pinned else "day.unpin"
        visit.did(session, action, found.names, user_id=found.user.id, day=bounds.daystamp)
    if not pinned:
        return visit.go(here, say=f"{date} is no longer pinned; the next sync looks at it again.")
    what = " What waited to be sent for it is not." if kept_back else ""
    return visit.go(here, say=f"{date} is left as it is at Beeminder.{what}")


ROUTES = (
    visits.form("/feeds/{user}/{goal}/approve", approve),
    visits.form("/feeds/{user}/{goal}/drop", drop),
    visits.form("/feeds/{user}/{goal}/pin", pin),
    visits.form("/feeds/{user}/{goal}/unpin", unpin),
)
