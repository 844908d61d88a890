"""The log: what was done on pages and by commands, by whom, to whose things."""

from starlette.responses import Response

from db import deeds_listed
from db.deeds_listed import Asked
from webhooks import filters, visits, withheld
from webhooks.visits import Access, Visit

PATH = "/operator/log"
PER_PAGE = 35


def log(visit: Visit) -> Response:
    """`/operator/log`: the latest first, page by page."""
    query = visit.request.query_params
    action, whom = filters.text(query, "action"), filters.text(query, "person")
    before, after = filters.row(query, "before"), filters.row(query, "after")
    asked = Asked(action=action, person=whom)
    with visit.receiver.ledger.read() as session:
        found = deeds_listed.rows(session, asked, before=before, after=after, limit=PER_PAGE + 1)
        actions = deeds_listed.actions(session)
        more = len(found) > PER_PAGE
        shown = found[-PER_PAGE:] if after is not None else found[:PER_PAGE]
        names = deeds_listed.names(session, {deed.user_id for deed in shown if deed.user_id})
    newer = shown and (more if after is not None else before is not None)
    older = shown and (after is not None or more)
    chosen = {"action": action, "person": whom}
    return visit.page(
        "operator/log.html",
        title="Log · Waggle",
        deeds=shown,
        details={deed.id: withheld.without_secrets(deed.details) for deed in shown},
        names=names,
        actions=[(known, known) for known in actions],
        chosen=chosen,
        filtered=bool(action or whom),
        newer=filters.address(PATH, after=shown[0].id, **chosen) if newer else None,
        older=filters.address(PATH, before=shown[-1].id, **chosen) if older else None,
    )


ROUTES = (visits.page(PATH, log, access=Access.OPERATOR),)
