"""Puts the receiver together."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import anyio
import anyio.to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Route

from db.clock import Clock
from db.engine import Ledger
from db.vault import Vault
from webhooks import bodies, errors, health, login, oauth, pages
from webhooks.autofetch import autofetch
from webhooks.config import ReceiverConfig
from webhooks.deauthorized import deauthorized
from webhooks.door import Door
from webhooks.holds import Holds
from webhooks.metrics import Metrics
from webhooks.middleware import RequestIds
from webhooks.probe import Probe
from webhooks.receiver import Receiver
from webhooks.reminder import reminder
from webhooks.ringer import Ring, Ringer
from webhooks.services import Services
from webhooks.writer import Writer

IDENTIFY_AT_ONCE = 8
# Fewer than the connections of a ledger's pool: pages never take the last one from the commits.
PAGES_AT_ONCE = 6

ROUTES = (
    Route("/beeminder/autofetch/{secret}", autofetch, methods=["POST"]),
    Route("/beeminder/deauthorized/{secret}", deauthorized, methods=["POST"]),
    Route("/beeminder/reminder/{hook}", reminder, methods=["POST"]),
    Route("/healthz", health.healthz),
    Route("/readyz", health.readyz),
    Route("/metrics", health.metrics),
    Route("/beeminder/connect", oauth.connect),
    Route(oauth.PATH, oauth.callback),
    Route("/login/{secret}", login.login),
    Route("/logout", login.logout, methods=["POST"]),
    Route("/", pages.home),
    Route("/events", pages.events),
    Route("/feeds/{user}/{goal}", pages.goal),
    Route("/runs", pages.runs),
    Route("/static/{name}", pages.static),
)


def create_app(
    *,
    config: ReceiverConfig,
    ledger: Ledger,
    vault: Vault,
    clock: Clock,
    ring: Ring,
    services: Services,
    broker_ok: Callable[[], bool] = lambda: True,
) -> Starlette:
    """The receiver as an ASGI app; its parts are at `app.state.receiver`.

    `ring(task, queue)` rings one bell and says whether the broker took it; `broker_ok` says
    whether the broker can be reached. Both may block for about a second, and never raise.
    """
    metrics = Metrics()
    ringer = Ringer(ring, metrics)
    receiver = Receiver(
        config=config,
        ledger=ledger,
        vault=vault,
        clock=clock,
        services=services,
        metrics=metrics,
        door=Door(config.callback_secrets),
        ringer=ringer,
        writer=Writer(ledger=ledger, clock=clock, ringer=ringer, metrics=metrics),
        holds=Holds(ledger=ledger, clock=clock, seconds=config.hold_seconds, metrics=metrics),
        probe=Probe(ledger=ledger, clock=clock, ringer=ringer, broker_ok=broker_ok),
        identifying=anyio.CapacityLimiter(IDENTIFY_AT_ONCE),
    )
    app = Starlette(
        routes=ROUTES,
        middleware=[Middleware(RequestIds)],
        exception_handlers={
            bodies.TooLargeError: bodies.on_too_large,
            errors.AnswerError: errors.on_answer_error,
            HTTPException: errors.on_http_exception,
        },
        lifespan=_running,
    )
    app.router.redirect_slashes = False
    app.state.receiver = receiver
    return app


@contextlib.asynccontextmanager
async def _running(app: Starlette) -> AsyncIterator[None]:
    receiver: Receiver = app.state.receiver
    anyio.to_thread.current_default_thread_limiter().total_tokens = PAGES_AT_ONCE
    tasks = [
        asyncio.create_task(receiver.writer.run(), name="receiver-writer"),
        asyncio.create_task(receiver.holds.run(), name="receiver-holds"),
    ]
    try:
        yield
    finally:
        receiver.holds.release()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for part in (receiver.writer, receiver.holds, receiver.probe, receiver.ringer):
            part.stop()
