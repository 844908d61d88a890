"""All addresses of the receiver: the doors of vendors, the ways to sign in, and the pages."""

from starlette.routing import BaseRoute, Route

from webhooks import health, login, oauth, source_links, static_files
from webhooks.autofetch import autofetch
from webhooks.deauthorized import deauthorized
from webhooks.pages import (
    events,
    feed_backfills,
    feed_days,
    feed_decisions,
    feed_forms,
    feeds,
    home,
    link,
    linked,
    own_data,
    runs,
    settings,
    sources,
)
from webhooks.pages.operator import routes as operator
from webhooks.reminder import reminder

# Looked at first: each pattern before the one that fits costs a callback a microsecond, and the
# pages have about seventy.
CALLBACKS: tuple[BaseRoute, ...] = (
    Route("/beeminder/autofetch/{secret}", autofetch, methods=["POST"]),
    Route("/beeminder/deauthorized/{secret}", deauthorized, methods=["POST"]),
    Route("/beeminder/reminder/{hook}", reminder, methods=["POST"]),
)
VENDORS: tuple[BaseRoute, ...] = (
    Route("/beeminder/connect", oauth.connect),
    Route(oauth.PATH, oauth.callback),
    Route("/{provider}/connect/{source}", source_links.connect),
    Route("/{provider}/callback", source_links.callback),
)
PROBES: tuple[BaseRoute, ...] = (
    Route("/healthz", health.healthz),
    Route("/readyz", health.readyz),
    Route("/metrics", health.metrics),
)
DOORS: tuple[BaseRoute, ...] = (
    Route("/login/{secret}", login.login),
    Route("/logout", login.logout, methods=["POST"]),
    Route("/static/{name:path}", static_files.static),
)
PAGES = (
    *home.ROUTES,
    *feeds.ROUTES,
    *feed_days.ROUTES,
    *feed_forms.ROUTES,
    *feed_decisions.ROUTES,
    *feed_backfills.ROUTES,
    *events.ROUTES,
    *runs.ROUTES,
    *settings.ROUTES,
    *own_data.ROUTES,
    *operator.ROUTES,
    *sources.ROUTES,
    *link.ROUTES,
    *linked.ROUTES,
)
ROUTES: tuple[BaseRoute, ...] = (*CALLBACKS, *PROBES, *PAGES, *DOORS, *VENDORS)
