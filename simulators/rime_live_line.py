"""The wire of one progress socket: what is said and heard on it is written down."""

from dataclasses import dataclass

from starlette.websockets import WebSocket, WebSocketDisconnect

from simulators.rime_live_record import RECEIVED_KEPT, Record

DROP = 0  # in place of a close code: no close frame at all
_NO_CODE = 1005


class Ended(Exception):  # noqa: N818 - an end, not an error
    """The server ends it, with a code or with `DROP`."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Line:
    """Raises WebSocketDisconnect once the client is gone."""

    websocket: WebSocket
    record: Record

    async def send(self, frame: str | bytes) -> None:
        """One frame."""
        self.record.sent += 1
        if isinstance(frame, bytes):
            await self.websocket.send_bytes(frame)
        else:
            await self.websocket.send_text(frame)

    async def heard(self) -> str | None:
        """What comes next; None for bytes."""
        message = await self.websocket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", _NO_CODE))
        text: str | None = message.get("text")
        if len(self.record.received) < RECEIVED_KEPT:
            self.record.received.append(message.get("bytes", b"") if text is None else text)
        return text
