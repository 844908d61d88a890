"""Everything the handlers share, in one value; `app.create_app` makes it."""

import time
from dataclasses import dataclass
from typing import cast

import anyio
from starlette.requests import Request

from db.clock import Clock
from db.engine import Ledger
from db.vault import Vault
from webhooks import request_ids
from webhooks.config import ReceiverConfig
from webhooks.door import Door
from webhooks.holds import Holds
from webhooks.metrics import Metrics
from webhooks.probe import Probe
from webhooks.ringer import Ringer
from webhooks.services import Services
from webhooks.streams import Streams
from webhooks.tracing import Answered, Told, nobody
from webhooks.waking import Waker
from webhooks.writer import Writer


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """The parts of one receiver. `identifying` bounds how many threads wait for Beeminder."""

    config: ReceiverConfig
    ledger: Ledger
    vault: Vault
    clock: Clock
    services: Services
    metrics: Metrics
    door: Door
    ringer: Ringer
    writer: Writer
    holds: Holds
    waker: Waker
    run_streams: Streams
    feed_streams: Streams
    probe: Probe
    told: Told
    identifying: anyio.CapacityLimiter

    def answered(
        self, kind: str, outcome: str, event_id: str, *, came_at: int, stored_at: int | None = None
    ) -> None:
        """Count a callback that was stored, and tell whoever follows callbacks (`tracing`)."""
        self.metrics.answered(kind, outcome)
        if self.told is not nobody:
            now = time.time_ns()
            self.told(
                Answered(
                    event_id=event_id,
                    request_id=request_ids.current() or "",
                    kind=kind,
                    outcome=outcome,
                    came_at=came_at,
                    stored_at=stored_at or now,
                    answered_at=now,
                )
            )

    def release(self) -> None:
        """Let go of everybody who is held or watches, and of all who come later: it stops."""
        self.holds.release()
        self.run_streams.release()
        self.feed_streams.release()


def receiver_of(request: Request) -> Receiver:
    """The receiver that this request came to."""
    return cast("Receiver", request.app.state.receiver)
