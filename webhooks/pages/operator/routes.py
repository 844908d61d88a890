"""The operator's pages. Whoever is no operator finds nothing at any of their addresses."""

from webhooks.pages.operator import gates, inbox, log, outbox, overview, people, tables, workers

ROUTES = (
    *overview.ROUTES,
    *inbox.ROUTES,
    *outbox.ROUTES,
    *gates.ROUTES,
    *workers.ROUTES,
    *people.ROUTES,
    *log.ROUTES,
    *tables.ROUTES,
)
