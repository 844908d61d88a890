"""The inbox: what came in, newest first, page by page; and one event from arrival to landing."""

import json
import re
from typing import Any

from starlette.responses import Response

from db import inbox_listed, journeys, replaying
from db.inbox_listed import Asked
from db.models import Event
from db.states import EventKind, EventState
from webhooks import errors, filters, replays, visits, withheld
from webhooks.visits import Visit

EVENTS_PER_PAGE = 40
EVENT_ID = re.compile(r"[0-9a-z]{26}")


def mark(visit: Visit, name: str) -> str | None:
    """The id at which a page begins; what is no id is no page."""
    given = visit.query(name)
    if given is not None and EVENT_ID.fullmatch(given) is None:
        raise errors.NotFoundError
    return given


def events(visit: Visit) -> Response:
    """`/events`: one's own, or everybody's."""
    before, after = mark(visit, "before"), mark(visit, "after")
    query = visit.request.query_params
    state = filters.one_of(query, "state", EventState)
    kind = filters.one_of(query, "kind", EventKind)
    text = filters.text(query, "q")
    asked = Asked(
        user_id=visit.only_user_id, states=(state,) if state else (), kind=kind, text=text
    )
    with visit.receiver.ledger.read() as session:
        found = inbox_listed.rows(
            session, visit.now, asked, before=before, after=after, limit=EVENTS_PER_PAGE + 1
        )
    shown, newer, older = cut(found, before=before, after=after, size=EVENTS_PER_PAGE)
    chosen = {"state": state, "kind": kind, "q": text}
    return visit.page(
        "events.html",
        title="Events · Waggle",
        events=shown,
        chosen=chosen,
        filtered=any(chosen.values()),
        newer=newer and filters.address("/events", after=newer, **chosen),
        older=older and filters.address("/events", before=older, **chosen),
    )


def cut(
    found: list[dict[str, Any]], *, before: str | None, after: str | None, size: int
) -> tuple[list[dict[str, Any]], str | None, str | None]:
    """A page of what was found with one row too many, and where the newer and older ones begin."""
    more = len(found) > size
    shown = found[-size:] if after is not None else found[:size]
    if not shown:
        return shown, None, None
    newer = more if after is not None else before is not None
    older = True if after is not None else more
    first, last = str(shown[0]["id"]), str(shown[-1]["id"])
    return shown, first if newer else None, last if older else None


def event(visit: Visit) -> Response:
    """`/events/{event}`: what became of it, step by step."""
    with visit.receiver.ledger.read() as session:
        found = journeys.journey(session, _id(visit), visit.now, user_id=visit.only_user_id)
    if found is None:  # other people's events do not exist for whoever asks
        raise errors.NotFoundError
    payload = withheld.without_secrets(found.event.payload)
    better = any(row["state"] not in replaying.FIT for row in found.replays)
    return visit.page(
        "event.html",
        title="Event · Waggle",
        event=found.event,
        journey=found,
        payload=json.dumps(payload, indent=2, ensure_ascii=False, sort_keys=True),
        replayable=found.event.state in replaying.FIT and not better,
    )


def replay(visit: Visit) -> Response:
    """`/events/{event}/replay`: one that failed or died is tried again, as a new one."""
    event_id = _id(visit)
    with visit.receiver.ledger.write() as session:
        row = session.get(Event, event_id)
        if row is None or visit.only_user_id not in (None, row.user_id):
            raise errors.NotFoundError
        new = replays.replay(visit, session, replaying.fit(session, [event_id]))
    if not new:
        said = "Nothing was done: it has not failed, or it is tried again already."
        return visit.go(f"/events/{event_id}", say=said, kind="warn")
    replays.ring(visit, new)
    return visit.go(f"/events/{new[0].id}", say="It is tried again, as this new event.")


def _id(visit: Visit) -> str:
    event_id = visit.path("event")
    if EVENT_ID.fullmatch(event_id) is None:
        raise errors.NotFoundError
    return event_id


ROUTES = (
    visits.page("/events", events),
    visits.page("/events/{event}", event),
    visits.form("/events/{event}/replay", replay),
)
