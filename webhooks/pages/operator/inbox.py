"""The inbox of everybody, and replaying what failed: chosen, counted, confirmed, done."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum

from sqlmodel import Session
from starlette.responses import Response

from db import inbox_listed, people, replaying
from db.inbox_listed import Asked
from db.states import EventKind, EventState
from webhooks import bodies, filters, replays, visits
from webhooks.pages import events
from webhooks.replays import MOST
from webhooks.visits import Access, Visit

PATH = "/operator/inbox"
PER_PAGE = 30
HOUR, DAY = 3600.0, 86400.0
NOBODY = -1  # the id of nobody: a name that nobody has
UNKNOWN = "nobody known"


class Age(StrEnum):
    """How long ago events came in."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    OLDER = "older"  # than a day


SINCE = {Age.HOUR: HOUR, Age.DAY: DAY, Age.WEEK: 7 * DAY}


def inbox(visit: Visit) -> Response:
    """`/operator/inbox`: filtered, searched, page by page."""
    before, after = events.mark(visit, "before"), events.mark(visit, "after")
    chosen = _chosen(visit.request.query_params)
    with visit.receiver.ledger.read() as session:
        asked = _asked(visit, session, chosen)
        found = inbox_listed.rows(
            session, visit.now, asked, before=before, after=after, limit=PER_PAGE + 1
        )
    shown, newer, older = events.cut(found, before=before, after=after, size=PER_PAGE)
    return visit.page(
        "operator/inbox.html",
        title="Inbox · Waggle",
        events=shown,
        chosen=chosen,
        filtered=any(chosen.values()),
        most=MOST,
        newer=newer and filters.address(PATH, after=newer, **chosen),
        older=older and filters.address(PATH, before=older, **chosen),
    )


def confirm(visit: Visit) -> Response:
    """`/operator/inbox/confirm`: what is about to be replayed, before anything is."""
    chosen = _chosen(visit.form)
    back = filters.address(PATH, **chosen)
    every = "all" in visit.form
    with visit.receiver.ledger.read() as session:
        if every:
            asked = replace(_asked(visit, session, chosen), to_replay=True)
            ids = inbox_listed.ids(session, asked, limit=MOST + 1)
        else:
            ids = _ids(visit)
        ready = inbox_listed.chosen(session, ids[:MOST])
    if not ids and not every:
        return visit.go(back, say="Tick the events that are to be replayed first.", kind="warn")
    return visit.page(
        "operator/replay.html",
        title="Replay · Waggle",
        ids=[row["id"] for row in ready],
        people=Counter(row["username"] or UNKNOWN for row in ready).most_common(),
        left=len(ids[:MOST]) - len(ready),
        more=len(ids) > MOST,
        back=back,
    )


def replay(visit: Visit) -> Response:
    """`/operator/inbox/replay`: those that were confirmed, and no others."""
    ids = _ids(visit)
    if not ids:
        raise bodies.malformed("id is missing: choose events in the inbox first", field="id")
    with visit.receiver.ledger.write() as session:
        new = replays.replay(visit, session, replaying.fit(session, ids))
    replays.ring(visit, new)
    left = len(ids) - len(new)
    said = f"{len(new)} event{'' if len(new) == 1 else 's'} replayed."
    if left:
        said += f" {left} left out: not failed or given up, or tried again already."
    return visit.go(f"{PATH}?age=hour", say=said, kind="good" if new else "warn")


def _ids(visit: Visit) -> list[str]:
    """The events that were ticked, each once; too many, or what is no id, is refused."""
    ids = sorted(set(visit.form.getlist("id")))
    if len(ids) > MOST:
        message = f"{len(ids)} events are too many at a time: choose {MOST} at most"
        raise bodies.malformed(message, field="id")
    if any(events.EVENT_ID.fullmatch(event_id) is None for event_id in ids):
        raise bodies.malformed("id is not the id of an event", field="id")
    return ids


def _chosen(values: Mapping[str, str]) -> dict[str, str | None]:
    return {
        "state": filters.one_of(values, "state", EventState),
        "kind": filters.one_of(values, "kind", EventKind),
        "age": filters.one_of(values, "age", Age),
        "user": filters.text(values, "user"),
        "q": filters.text(values, "q"),
    }


def _asked(visit: Visit, session: Session, chosen: Mapping[str, str | None]) -> Asked:
    state, kind, age, user = (chosen[name] for name in ("state", "kind", "age", "user"))
    return Asked(
        user_id=None if user is None else _user_id(session, user),
        states=() if state is None else (EventState(state),),
        kind=None if kind is None else EventKind(kind),
        since=None if age is None or age == Age.OLDER else visit.now - SINCE[Age(age)],
        until=visit.now - DAY if age == Age.OLDER else None,
        text=chosen["q"],
    )


def _user_id(session: Session, username: str) -> int:
    user = people.user_named(session, username)
    return NOBODY if user is None or user.id is None else user.id


ROUTES = (
    visits.page(PATH, inbox, access=Access.OPERATOR),
    visits.form(f"{PATH}/confirm", confirm, access=Access.OPERATOR),
    visits.form(f"{PATH}/replay", replay, access=Access.OPERATOR),
)
