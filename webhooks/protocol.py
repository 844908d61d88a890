"""HTTP on one connection, with an end to whatever a caller can keep us waiting with.

uvicorn with httptools bounds nothing of it: one caller could fill the memory with a header that
never ends, and thousands could stay for ever without asking anything, with a body that nobody reads
or an answer that they do not take.
"""

import asyncio
import json
import secrets
from typing import cast
from weakref import WeakKeyDictionary

from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from webhooks import bodies, errors
from webhooks.packets import HeadWithBody

LARGEST_HEAD = 32 * 1024
# Sizes of chunks, their extensions and trailers count as well; chunks may be of a single byte.
FRAMING_PER_BYTE = 8
HEAD_SECONDS = 20.0
BODY_SECONDS = 15.0  # more than whoever reads a body gives it, so that it can say that it is over
TAKE_SECONDS = 30.0  # for the rest of an answer
LINGER_SECONDS = 2.0
# A held callback takes one, and 2,000 of them are promised; each costs some 20 KB.
MOST_CONNECTIONS = 8192
SPARE_FILES = 256  # what the process has to open besides

# Those of each server that keep us waiting, the longest first.
_waiting: WeakKeyDictionary[ServerState, dict["BoundedProtocol", None]] = WeakKeyDictionary()


class BoundedProtocol(HttpToolsProtocol):
    """Ends connections whose head is too large, and those that are waited for for too long.

    Beyond `most` connections of a server the one that has been waited for longest makes room:
    whoever asks without delay is served, however many others only pretend to.
    """

    most = MOST_CONNECTIONS
    _waited_for: dict["BoundedProtocol", None]
    _framing_bytes = 0
    _in_head = True
    _in_body = False
    _refused = False
    _running: RequestResponseCycle | None = None
    _answer: HeadWithBody | None = None
    _until: float | None = None  # when the patience ends with what we wait for
    _looks_at = 0.0
    _patience: asyncio.TimerHandle | None = None
    _taking: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Expect a request soon, and make room for it."""
        super().connection_made(transport)
        self._waited_for = _waiting.setdefault(self.server_state, {})
        self._expect(HEAD_SECONDS)
        if len(self.connections) > self.most:
            longest = next(iter(self._waited_for))
            longest._abort()  # noqa: SLF001 -- one of ours

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._expect_nothing()
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        self._taken()
        self._hang_up()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse what came; then see whether what is no body goes on and on."""
        if self._is_over():
            return
        super().data_received(data)
        if self._is_over() or not (self._in_head or self._in_body):
            return
        self._framing_bytes += len(data)
        if self._framing_bytes > LARGEST_HEAD:
            self._refuse(431, "too_large", f"the head is larger than {LARGEST_HEAD} bytes")

    def _is_over(self) -> bool:
        return self._refused or self.transport.is_closing()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 -- uvicorn's own text says less
        """Answer what is no HTTP as everything else is answered."""
        self._refuse(400, *errors.CODES[400])

    def _refuse(self, status: int, code: str, message: str) -> None:
        self._refused = True
        if self._running is not None and not self._running.response_complete:
            self._abort()  # another answer is due first, and could not be told from this one
            return
        body = json.dumps(errors.envelope(code, message)).encode()
        head = (
            f"HTTP/1.1 {status} {errors.phrase(status)}\r\n"
            "content-type: application/json\r\n"
            f"content-length: {len(body)}\r\n"
            f"x-request-id: {secrets.token_hex(8)}\r\n"
            "x-content-type-options: nosniff\r\n"
            "connection: close\r\n\r\n"
        )
        # A connection that is closed while more comes in is reset, and the answer may be lost with
        # it. So what comes is thrown away until the caller has read the answer, but not for long.
        self.transport.write(head.encode() + body)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._expect(LINGER_SECONDS)

    def on_message_begin(self) -> None:
        """Called by the parser at the first byte of a request."""
        super().on_message_begin()
        self._in_head = True
        self._expect(HEAD_SECONDS)

    def on_headers_complete(self) -> None:
        """Called by the parser at the end of the head."""
        self._in_head, self._in_body = False, True
        self._framing_bytes = 0
        self._expect(BODY_SECONDS)
        super().on_headers_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._running = cycle
        self._answer = HeadWithBody(cycle)
        cycle.transport = cast("asyncio.Transport", self._answer)
        super()._start_asgi_task(cycle, app)

    def on_body(self, body: bytes) -> None:
        """Called by the parser with a part of the body."""
        self._framing_bytes -= len(body) * (1 + FRAMING_PER_BYTE)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Called by the parser at the end of the body."""
        self._in_body = False
        self._framing_bytes = 0
        self._expect_nothing()
        super().on_message_complete()
        self.scope[bodies.ARRIVED] = True  # type: ignore[literal-required]  # one of ours
        if self.cycle.response_complete:
            self._expect(HEAD_SECONDS)

    def on_response_complete(self) -> None:
        """Called when an answer has been handed to the connection."""
        if self._answer is not None:
            self._answer.flush()
        super().on_response_complete()
        if self.transport.is_closing():
            self._must_take()
        elif self.cycle.response_complete and not self._in_body:
            # uvicorn's own limit for an idle connection ends with any byte that comes.
            self._expect(HEAD_SECONDS)

    def timeout_keep_alive_handler(self) -> None:
        """Called when nothing has come for a while after an answer."""
        self._leave()

    def pause_writing(self) -> None:
        """Called when the caller does not take what we send."""
        super().pause_writing()
        self._must_take()

    def resume_writing(self) -> None:
        """Called when it does."""
        self._taken()
        super().resume_writing()

    def _expect(self, seconds: float) -> None:
        """Wait for the caller, but not for longer."""
        self._waited_for.pop(self, None)
        self._waited_for[self] = None
        now = self.loop.time()
        self._until = now + seconds
        if self._patience is None or self._until < self._looks_at:
            self._look_in(seconds, now)

    def _expect_nothing(self) -> None:
        self._until = None
        self._waited_for.pop(self, None)

    def _look_in(self, seconds: float, now: float) -> None:
        # Of four timers a request none would ever fire: one stays, and looks what has become of it.
        if self._patience is not None:
            self._patience.cancel()
        self._looks_at = now + seconds
        self._patience = self.loop.call_later(seconds, self._look)

    def _look(self) -> None:
        self._patience = None
        now = self.loop.time()
        if self._until is None:
            return
        if self._until > now:
            self._look_in(self._until - now, now)
        else:
            self._leave()

    def _leave(self) -> None:
        self.transport.close()
        self._must_take()

    def _abort(self) -> None:
        self._expect_nothing()
        self._hang_up()
        self.transport.abort()

    def _hang_up(self) -> None:
        # uvicorn tells it to the newest of several requests only, and a little later; the one that
        # is being answered would write to a connection that is gone.
        if self._running is not None:
            self._running.disconnected = True
            self._running.message_event.set()

    def _must_take(self) -> None:
        """What is closed goes on until its caller has taken everything: not for ever."""
        self._taken()
        self._taking = self.loop.call_later(TAKE_SECONDS, self._abort)

    def _taken(self) -> None:
        if self._taking is not None:
            self._taking.cancel()
            self._taking = None


def within(open_files: int) -> type[BoundedProtocol]:
    """The protocol of a process that may have so many files open."""
    most = max(1, min(MOST_CONNECTIONS, open_files - SPARE_FILES))
    return type("BoundedProtocol", (BoundedProtocol,), {"most": most})
