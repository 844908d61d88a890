"""Everybody who is linked: how they stand, and when anything was heard of them."""

from starlette.responses import Response

from db import needs, people_listed
from db.states import UserState
from webhooks import errors, filters, visits
from webhooks.visits import Access, Visit

PATH = "/operator/people"
PER_PAGE = 40
FEEDS_PER_PAGE = 20
MOST_SOURCES = 20
MOST_NEEDS = 20


def people(visit: Visit) -> Response:
    """`/operator/people`: by name, searched, page by page."""
    query = visit.request.query_params
    state, text = filters.one_of(query, "state", UserState), filters.text(query, "q")
    after, before = filters.text(query, "after"), filters.text(query, "before")
    with visit.receiver.ledger.read() as session:
        found = people_listed.people(
            session, text=text, state=state, after=after, before=before, limit=PER_PAGE + 1
        )
    more = len(found) > PER_PAGE
    shown = found[-PER_PAGE:] if before is not None else found[:PER_PAGE]
    first = shown and (more if before is not None else after is not None)
    last = shown and (before is not None or more)
    chosen = {"state": state, "q": text}
    return visit.page(
        "operator/people.html",
        title="People · Waggle",
        people=shown,
        chosen=chosen,
        filtered=bool(state or text),
        newer=filters.address(PATH, before=shown[0].username, **chosen) if first else None,
        older=filters.address(PATH, after=shown[-1].username, **chosen) if last else None,
    )


def person(visit: Visit) -> Response:
    """`/operator/people/{person}`: one of them, with their sources and feeds."""
    if filters.ROW.fullmatch(visit.path("person")) is None:
        raise errors.NotFoundError
    user_id, path = int(visit.path("person")), f"{PATH}/{visit.path('person')}"
    after = filters.row(visit.request.query_params, "after")
    with visit.receiver.ledger.read() as session:
        found = people_listed.person(session, user_id)
        if found is None:
            raise errors.NotFoundError
        feeds = people_listed.feeds(session, user_id, after=after or 0, limit=FEEDS_PER_PAGE + 1)
        sources = people_listed.sources(session, user_id, limit=MOST_SOURCES)
        needed = needs.of(session, visit.now, user_id=user_id)
    shown = feeds[:FEEDS_PER_PAGE]
    return visit.page(
        "operator/person.html",
        title=f"{found.username} · Waggle",
        it=found,
        feeds=shown,
        sources=sources,
        needs=needed[:MOST_NEEDS],
        first=path if after else None,
        next=filters.address(path, after=shown[-1]["id"]) if len(feeds) > FEEDS_PER_PAGE else None,
    )


ROUTES = (
    visits.page(PATH, people, access=Access.OPERATOR),
    visits.page(f"{PATH}/{{person}}", person, access=Access.OPERATOR),
)
