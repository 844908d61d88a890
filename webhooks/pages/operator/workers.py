"""Workers, and how long due work has waited for one, queue by queue."""

from starlette.responses import Response

from db import standing
from db.workers import ALIVE_SECONDS
from webhooks import visits
from webhooks.visits import Access, Visit

MOST = 100


def workers(visit: Visit) -> Response:
    """`/operator/workers`."""
    with visit.receiver.ledger.read() as session:
        known = standing.known_workers(session, limit=MOST)
        queues = standing.queues(session, visit.now)
    return visit.page(
        "operator/workers.html",
        title="Workers · Waggle",
        workers=known,
        queues=queues,
        alive=ALIVE_SECONDS,
    )


ROUTES = (visits.page("/operator/workers", workers, access=Access.OPERATOR),)
