"""An open WebSocket of RIME, whose texts are handed on as they are read.

The library would put each frame in a queue, for a task that waits for it; that costs more than all
that is done with what is in it. Here whoever listens is called at once, so nothing waits: there is
no queue that could grow, and where taking in is slow, less is read from the socket.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.connection import broadcast
from websockets.client import ClientProtocol
from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import Event

Take = Callable[[str], None]


class Connection(ClientConnection):
    """One that calls `take` with each text, whole; binary ones are left out.

    The frames, their limits, the pings of both sides and the end of it are the library's.
    """

    def __init__(self, protocol: ClientProtocol, **options: Any) -> None:
        super().__init__(protocol, **options)
        self.fault: Exception | None = None
        self._take: Take | None = None
        self._early: list[str] = []
        self._parts: bytearray | None = None
        self._leaving: asyncio.Task[None] | None = None

    def listen(self, take: Take) -> None:
        """From now on. What came with the answer to the upgrade is handed on first."""
        self._take = take
        early, self._early = self._early, []
        for text in early:
            self._hand(text)
        if not self.transport.is_closing():
            self.transport.resume_reading()

    def leave(self, code: CloseCode = CloseCode.NORMAL_CLOSURE) -> asyncio.Task[None]:
        """Hear nothing more, and begin to close. The same task, however often this is called."""
        if self._leaving is None:
            self._leaving = asyncio.ensure_future(self.close(code))
            self.listen(_nobody)
        return self._leaving

    def process_event(self, event: Event) -> None:
        """The library calls it for each frame, in the order in which they come."""
        if not isinstance(event, Frame):
            super().process_event(event)
            # Until somebody listens: then only what came along with this has to be kept.
            self.transport.pause_reading()
        elif event.opcode is Opcode.TEXT and event.fin:
            self._whole(event.data)
        elif event.opcode is Opcode.CONT:
            if self._parts is not None:
                self._parts += event.data
                if event.fin:
                    whole, self._parts = self._parts, None
                    self._whole(whole)
        elif event.opcode is Opcode.TEXT:
            self._parts = bytearray(event.data)
        elif event.opcode is not Opcode.BINARY:
            super().process_event(event)

    def pause_writing(self) -> None:
        """Whoever lets our few words pile up reads nothing: it ends, as if the other had gone."""
        super().pause_writing()
        self.transport.abort()

    def _whole(self, data: bytes | bytearray | memoryview) -> None:
        try:
            text = str(data, "utf-8")
        except UnicodeDecodeError:
            self.leave(CloseCode.INVALID_DATA)
            return
        self._hand(text)

    def _hand(self, text: str) -> None:
        if self._take is None:
            self._early.append(text)
            return
        try:
            self._take(text)
        except Exception as fault:  # noqa: BLE001 -- whoever listens gets it back
            self.fault = fault
            self.leave(CloseCode.INTERNAL_ERROR)


class Stream:
    """An open stream. Nothing is heard of it before somebody listens."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def listen(self, take: Take) -> int | None:
        """Call `take` with each text frame until the end; the code of it, None where there is none.

        `take` is called by the loop, between two of its turns. What it raises ends the stream and
        is raised here.
        """
        connection = self._connection
        connection.listen(take)
        await connection.wait_closed()
        if connection.fault is not None:
            raise connection.fault
        protocol = connection.protocol
        if protocol.close_rcvd is not None:
            return protocol.close_rcvd.code
        # We broke it off: for a frame that is too big for one.
        return None if protocol.close_sent is None else protocol.close_sent.code

    def say(self, text: str) -> None:
        """Send this; nothing happens if the stream has ended, which `listen` tells."""
        broadcast([self._connection], text)

    def end(self) -> None:
        """Begin to close it: nothing more is heard, and `listen` ends soon."""
        self._connection.leave()

    async def close(self) -> None:
        """Close it."""
        await self._connection.leave()


def _nobody(_text: str) -> None:
    """Listens no more."""
