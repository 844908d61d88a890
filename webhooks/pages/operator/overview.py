"""The operator's first page: what is wrong, and the figures, looked at again every few seconds."""

from importlib import metadata
from typing import Any

from anyio import from_thread
from starlette.responses import Response

from db import standing
from webhooks import rendering, visits
from webhooks.pages.operator import troubles
from webhooks.visits import Access, Visit

DISTRIBUTION = "waggle-server"


def overview(visit: Visit) -> Response:
    """`/operator`: everything at a glance."""
    return visit.page("operator/overview.html", title="Operator · Waggle", **_seen(visit))


def figures(visit: Visit) -> Response:
    """`/operator/figures`: the part of that page that changes."""
    return rendering.page(
        "operator/figures.html",
        viewer=visit.viewer,
        now=visit.now,
        zone=visit.viewer.zone,
        **_seen(visit),
    )


def _seen(visit: Visit) -> dict[str, Any]:
    receiver = visit.receiver
    broker = from_thread.run(receiver.probe.broker_state)
    with receiver.ledger.read() as session:
        found = standing.standing(session, visit.now)
    return {
        "figures": found,
        "troubles": troubles.troubles(found, broker),
        "broker": broker,
        "database": receiver.ledger.url.get_backend_name(),
        "version": metadata.version(DISTRIBUTION),
    }


ROUTES = (
    visits.page("/operator", overview, access=Access.OPERATOR),
    visits.page("/operator/figures", figures, access=Access.OPERATOR),
)
