"""What is remembered of a progress socket: who came, with what, what was said, how it ended."""

import threading
from dataclasses import dataclass, field
from typing import Any

RECEIVED_KEPT = 200


@dataclass(slots=True, kw_only=True)
class Record:
    """One socket as it came, secrets included.

    `status`: what the upgrade was answered with, None while it was not. `received`: texts and bytes
    of the client, the first of them. `sent`: frames. `code`: how the client ended it (1005 or 1006:
    without a code), `ended_with`: how this side did, 0 without a close frame; None: it did not.
    `order`: what somebody outside wants it to end with. `looked` is set once it has looked at the
    run: what changes from then on is news.
    """

    number: int
    run: str
    query: str
    headers: dict[str, str]
    subprotocols: list[str]
    opened_at: float
    status: int | None = None
    received: list[str | bytes] = field(default_factory=list)
    pongs: int = 0
    sent: int = 0
    code: int | None = None
    ended_with: int | None = None
    ended_at: float | None = None
    order: int | None = None
    looked: threading.Event = field(default_factory=threading.Event)

    @property
    def is_open(self) -> bool:
        """Is it being served?"""
        return self.status == 101 and self.ended_at is None  # noqa: PLR2004 - HTTP

    def as_json(self) -> dict[str, Any]:
        """The record as `GET /_sim/sockets` shows it."""
        texts = [
            one.decode(errors="replace") if isinstance(one, bytes) else one for one in self.received
        ]
        return {
            "number": self.number,
            "run": self.run,
            "query": self.query,
            "headers": self.headers,
            "subprotocols": self.subprotocols,
            "status": self.status,
            "received": texts,
            "pongs": self.pongs,
            "sent": self.sent,
            "code": self.code,
            "ended_with": self.ended_with,
            "opened_at": self.opened_at,
            "ended_at": self.ended_at,
        }
