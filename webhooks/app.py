"""Puts the receiver together."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import anyio
import anyio.to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from db.clock import Clock
from db.engine import Ledger
from db.vault import Vault
from webhooks import errors, feed_streams, routes, run_streams
from webhooks.config import ReceiverConfig
from webhooks.door import Door
from webhooks.fast_lane import FastLane
from webhooks.holds import Holds
from webhooks.metrics import Metrics
from webhooks.middleware import RequestIds
from webhooks.probe import Probe
from webhooks.receiver import Receiver
from webhooks.ringer import Ring, Ringer
from webhooks.services import Services
from webhooks.streams import Streams
from webhooks.tracing import Told, nobody
from webhooks.waking import Waker
from webhooks.writer import Writer

IDENTIFY_AT_ONCE = 8
# Fewer than the connections of a ledger's pool: pages never take the last one from the commits.
PAGES_AT_ONCE = 6


def create_app(
    *,
    config: ReceiverConfig,
    ledger: Ledger,
    vault: Vault,
    clock: Clock,
    ring: Ring,
    services: Services,
    broker_ok: Callable[[], bool] = lambda: True,
    told: Told = nobody,
) -> Starlette:
    """The receiver as an ASGI app; its parts are at `app.state.receiver`.

    `ring(task, queue)` rings one bell and says whether the broker took it; `broker_ok` says
    whether the broker can be reached. Both may block for about a second, and never raise. `told`
    hears of each callback that was stored and answered.
    """
    metrics = Metrics(config.vendors)
    ringer = Ringer(ring, metrics)
    holds = Holds(ledger=ledger, clock=clock, seconds=config.hold_seconds, metrics=metrics)
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
        holds=holds,
        waker=Waker(ledger=ledger, holds=holds),
        run_streams=Streams(
            name="runs", ledger=ledger, read=run_streams.read, watching=metrics.watchers
        ),
        feed_streams=Streams(
            name="feeds",
            ledger=ledger,
            read=feed_streams.read,
            form=feed_streams.as_event,
            watching=metrics.feed_watchers,
        ),
        probe=Probe(ledger=ledger, clock=clock, ringer=ringer, broker_ok=broker_ok),
        told=told,
        identifying=anyio.CapacityLimiter(IDENTIFY_AT_ONCE),
    )
    app = Starlette(
        routes=routes.ROUTES,
        middleware=[Middleware(RequestIds), Middleware(FastLane, routes=routes.CALLBACKS)],
        exception_handlers={
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
        asyncio.create_task(receiver.waker.run(), name="receiver-waker"),
        asyncio.create_task(receiver.run_streams.run(), name="receiver-runs"),
        asyncio.create_task(receiver.feed_streams.run(), name="receiver-feeds"),
    ]
    try:
        yield
    finally:
        receiver.release()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for part in (
            receiver.writer,
            receiver.holds,
            receiver.waker,
            receiver.run_streams,
            receiver.feed_streams,
            receiver.probe,
            receiver.ringer,
        ):
            part.stop()
