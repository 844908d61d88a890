"""The progress socket of the simulated RIME: `/live/{run}` beside the API.

    rime.live.switches.set(auth="first_message", form="ndjson", every=0.01)
    rime.live.end(1012)               # close what is open
    rime.live.sockets[-1].received    # what the client said

| over HTTP, below the API | does |
|---|---|
| GET, POST `/_sim/live` | shows the switches, turns some |
| GET, DELETE `/_sim/sockets` | shows the sockets so far, forgets those that have ended |
| POST `/_sim/sockets` | ends those that are open, by `code` (0: no close frame); of a `run` |
"""

import itertools
import threading
from collections import deque
from collections.abc import Callable

from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from simulators.rime_live_door import Door, offers
from simulators.rime_live_line import DROP
from simulators.rime_live_record import Record
from simulators.rime_live_switches import Switches
from simulators.rime_live_talk import Talk
from simulators.rime_state import RimeState
from simulators.rime_tokens import Tokens
from simulators.rime_unknowns import Unknowns

PATH = "/live/{run}"
_KEPT = 20_000
_HEADERS_KEPT = ("authorization", "cookie", "host", "origin", "user-agent")


class Live:
    """Serves sockets about the runs of `state`, and remembers them. Safe from any thread."""

    def __init__(self, state: RimeState, unknowns: Unknowns, tokens: Tokens) -> None:
        self.state, self.unknowns = state, unknowns
        self.switches = Switches()
        self.door = Door(state, tokens, self.switches)
        self._numbers = itertools.count(1)
        self._records: deque[Record] = deque(maxlen=_KEPT)
        self._lock = threading.Lock()

    @property
    def clock(self) -> Callable[[], float]:
        """That of the tenant."""
        return self.state.clock

    @property
    def sockets(self) -> list[Record]:
        """All so far, oldest first; the refused ones among them."""
        with self._lock:
            return list(self._records)

    @property
    def open(self) -> list[Record]:
        """Those that are being served."""
        return [record for record in self.sockets if record.is_open]

    def end(self, code: int = DROP, *, run: str | None = None) -> int:
        """End those that are open, at their next look; how many. 0: without a close frame."""
        found = [record for record in self.open if run in (None, record.run)]
        for record in found:
            record.order = code
        return len(found)

    def forget(self) -> None:
        """Forget those that have ended."""
        with self._lock:
            left = [record for record in self._records if record.ended_at is None]
            self._records = deque(left, maxlen=_KEPT)

    def route(self) -> WebSocketRoute:
        """Where it is; to be put beside the API."""
        return WebSocketRoute(PATH, self.serve)

    async def serve(self, websocket: WebSocket) -> None:
        """One socket."""
        record = Record(
            number=next(self._numbers),
            run=websocket.path_params["run"],
            query=websocket.url.query,
            headers={
                name: value for name, value in websocket.headers.items() if name in _HEADERS_KEPT
            },
            subprotocols=offers(websocket),
            opened_at=self.clock(),
        )
        with self._lock:
            self._records.append(record)
        try:
            await Talk(self, websocket, record).serve()
        finally:
            record.ended_at = self.clock()
