"""For load balancers and orchestrators: does the process serve, and does work move?"""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from db import overdue
from webhooks.receiver import receiver_of


async def healthz(_request: Request) -> Response:
    """200 while the process serves; asks nobody."""
    return PlainTextResponse("ok")


async def readyz(request: Request) -> Response:
    """200 while work moves, else 503; both say what was found."""
    probe = receiver_of(request).probe
    state = await probe.ledger_state()
    broker = await probe.broker_state()
    if isinstance(state, str):
        found: dict[str, Any] = {
            "database": state,
            "broker": broker,
            "workers": 0,
            "oldest_due_seconds": None,
        }
        return JSONResponse(found, status_code=503)
    found = {
        "database": "ok",
        "broker": broker,
        "workers": state.workers,
        "oldest_due_seconds": round(state.oldest_due, 3),
    }
    moving = overdue.is_moving(state.oldest_due, state.last_progress)
    good = broker == "ok" and state.workers > 0 and moving
    return JSONResponse(found, status_code=200 if good else 503)


async def metrics(request: Request) -> Response:
    """Prometheus text; the figures of the ledger are left as they were when it does not answer."""
    receiver = receiver_of(request)
    state = await receiver.probe.ledger_state()
    if not isinstance(state, str):
        receiver.metrics.set_ledger(
            inbox=state.inbox,
            outbox=state.outbox,
            oldest_due=state.oldest_due,
            workers=state.workers,
        )
        found = await receiver.probe.hindrances()
        if not isinstance(found, str):
            receiver.metrics.set_hindrances(found)
        followed = await receiver.probe.runs()
        if not isinstance(followed, str):
            receiver.metrics.set_runs(followed)
    return Response(receiver.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")
