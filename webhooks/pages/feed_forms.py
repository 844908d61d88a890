"""What a person has done with a feed as a whole: synced now, paused, resumed."""

from collections.abc import Sequence

from starlette.responses import Response

from db import asking, pauses
from db.models import Feed
from webhooks import found_feeds, visits
from webhooks.found_feeds import Found
from webhooks.visits import Visit

SYNC = [("sync", "urgent")]


def back(visit: Visit) -> str:
    """Where the form stood: the list, as it was filtered, or the page of the feed."""
    home = visit.form.get("home", "")
    return home if home == "/" or home.startswith("/?") else found_feeds.place(visit).path


def sync(visit: Visit) -> Response:
    """Ask for a sync of the goal, as `waggle sync` does."""
    with visit.receiver.ledger.write() as session:
        found = found_feeds.of(visit, session)
        try:
            event = asking.sync(session, found.user, found.goal, found.feeds, visit.now)
        except asking.AsleepError as error:
            say = f"{found.name(error.feed)} is {error}: resume it first."
            return visit.go(back(visit), say=say, kind="bad")
        visit.did(session, "feed.sync", found.names, user_id=found.user.id, event=event.id)
    visit.receiver.ringer.want(SYNC)
    return visit.go(back(visit), say=f"{found.names}: asked for. It is synced within seconds.")


def pause(visit: Visit) -> Response:
    """Stop syncing until it is resumed."""
    with visit.receiver.ledger.write() as session:
        found = found_feeds.of(visit, session)
        changed = _names(found, pauses.pause(session, found.feeds, visit.now))
        if changed:
            visit.did(session, "feed.pause", changed, user_id=found.user.id)
    if not changed:
        return visit.go(back(visit), say=f"{found.names}: not running already.", kind="warn")
    say = f"{changed}: paused. Nothing is read or sent until you resume it."
    return visit.go(back(visit), say=say)


def resume(visit: Visit) -> Response:
    """Sync again, at once, as if nothing had failed before."""
    with visit.receiver.ledger.write() as session:
        found = found_feeds.of(visit, session)
        changed = _names(found, pauses.resume(session, found.feeds, visit.now))
        if changed:
            visit.did(session, "feed.resume", changed, user_id=found.user.id)
    if not changed:
        say = f"{found.names}: stopped. Link it again to bring it back."
        return visit.go(back(visit), say=say, kind="bad")
    visit.receiver.ringer.want(SYNC)
    return visit.go(back(visit), say=f"{changed}: runs again, and is synced now.")


def _names(found: Found, feeds: Sequence[Feed]) -> str:
    return ", ".join(found.name(feed) for feed in feeds)


ROUTES = (
    visits.form("/feeds/{user}/{goal}/sync", sync),
    visits.form("/feeds/{user}/{goal}/pause", pause),
    visits.form("/feeds/{user}/{goal}/resume", resume),
)
