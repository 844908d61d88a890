"""Past days read again: asked for, and cancelled."""

from urllib.parse import urlencode

from sqlmodel import col
from starlette.responses import Response

from db import backfills, feeds, resting
from db.backfills import OtherBackfillError
from db.models import Feed
from webhooks import found_feeds, visits, words
from webhooks.found_feeds import Found
from webhooks.visits import Visit

BACKFILL = [("backfill", "bulk")]


def ask(visit: Visit) -> Response:
    """Have these days read again, of all feeds that the address names."""
    given = visit.form.get("from", ""), visit.form.get("to", "")
    here = found_feeds.place(visit).path
    again = f"{here}?{urlencode({'from': given[0][:10], 'to': given[1][:10]})}#past"
    with visit.receiver.ledger.read() as session:
        found = found_feeds.of(visit, session)
    days = [found_feeds.day(visit, found, text) for text in given]
    for text, day in zip(given, days, strict=True):
        if day is None:
            say = f"{text[:20]!r} is no day: choose one, such as {words.day('20261120')}."
            return visit.go(again, say=say, kind="bad")
    first, last = (day.daystamp for day in days if day is not None)
    wrong = _objection(visit, found, first, last)
    if wrong is not None:
        return visit.go(again, say=wrong, kind="bad")
    try:
        _store(visit, first, last)
    except OtherBackfillError as other:
        say = (
            f"{words.day(other.first_day)} to {words.day(other.last_day)} is being read already: "
            "wait until that is done, or cancel it."
        )
        return visit.go(again, say=say, kind="bad")
    visit.receiver.ringer.want(BACKFILL)
    say = f"{words.day(first)} to {words.day(last)} is read again, a month at a time."
    return visit.go(f"{here}#past", say=say)


def _objection(visit: Visit, found: Found, first: str, last: str) -> str | None:
    awake = [feed for feed in found.feeds if resting.is_running(feed.state, feed.reason)]
    if not awake:
        return f"{found.names}: not running, so no day is read. Resume it first."
    for feed in awake:
        wrong = visit.receiver.services.objection(
            feed.id or 0, first=first, last=last, now=visit.now
        )
        if wrong is not None:
            return f"{found.name(feed)}: {wrong}"
    return None


def _store(visit: Visit, first: str, last: str) -> None:
    """All of them or none. Raises `OtherBackfillError`."""
    with visit.receiver.ledger.write() as session:
        found = found_feeds.of(visit, session)
        feeds.lock(session, col(Feed.id).in_(found.ids))
        for feed in found.feeds:
            if resting.is_running(feed.state, feed.reason):
                backfills.ask(session, feed.id or 0, first=first, last=last, now=visit.now)
        visit.did(
            session, "backfill.ask", found.names, user_id=found.user.id, first=first, last=last
        )


def cancel(visit: Visit) -> Response:
    """End what goes on. What was sent stays."""
    here = f"{found_feeds.place(visit).path}#past"
    with visit.receiver.ledger.write() as session:
        found = found_feeds.of(visit, session)
        ended = backfills.cancel(session, found.ids, visit.now)
        if ended:
            visit.did(session, "backfill.cancel", found.names, user_id=found.user.id)
    if not ended:
        return visit.go(here, say="No past days are being read: it has ended.", kind="warn")
    return visit.go(here, say="Cancelled. What was sent stays.")


ROUTES = (
    visits.form("/feeds/{user}/{goal}/backfill", ask),
    visits.form("/feeds/{user}/{goal}/backfill/cancel", cancel),
)
