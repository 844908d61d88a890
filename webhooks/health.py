"""For load balancers and orchestrators: does the process serve, and does work move?"""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from webhooks.receiver import receiver_of


async def healthz(_request: Request) -> Response:
    """200 while the process serves; asks nobody."""
    return PlainTextResponse("ok")


async def readyz(request: Request) -> Response:
    """200 while work moves, else 503; both say what was found, and `why` what is wrong."""
    probe = receiver_of(request).probe
    found = await probe.movement()
    broker = await probe.broker_state()
    why = [] if broker == "ok" else [f"broker: {broker}"]
    if isinstance(found, str):
        return _said(
            broker=broker, database=found, workers=0, oldest=None, why=[f"database: {found}", *why]
        )
    return _said(
        broker=broker,
        database="ok",
        workers=found.workers,
        oldest=found.oldest_due,
        sweep=found.sweep,
        why=[*found.stuck, *why],
    )


def _said(
    *,
    database: str,
    broker: str,
    workers: int,
    oldest: float | None,
    why: list[str],
    sweep: float | None = None,
) -> Response:
    said: dict[str, Any] = {
        "database": database,
        "broker": broker,
        "workers": workers,
        "oldest_due_seconds": None if oldest is None else round(oldest, 3),
        "last_sweep_seconds": None if sweep is None else round(sweep, 3),
        "why": why,
    }
    return JSONResponse(said, status_code=503 if why else 200)


async def metrics(request: Request) -> Response:
    """Prometheus text; without figures of the ledger while it does not answer."""
    receiver = receiver_of(request)
    found = await receiver.probe.figures()
    receiver.metrics.ledger.set(None if isinstance(found, str) else found)
    return Response(receiver.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")
