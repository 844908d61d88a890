"""An answer that goes on: server-sent events, until its parts end or whoever reads it is gone."""

import asyncio
from collections.abc import AsyncIterator, Callable

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from webhooks import rendering

SEND_SECONDS = 30.0  # whoever takes nothing for so long is gone
HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "X-Accel-Buffering": "no",  # a proxy that collects an answer first would never be done
    **rendering.HEADERS,
}


class EventStream(Response):
    """Sends the parts as they come; `gone` is called once, however it ends."""

    def __init__(
        self,
        parts: AsyncIterator[bytes],
        *,
        gone: Callable[[], None],
        send_seconds: float = SEND_SECONDS,
    ) -> None:
        super().__init__(headers=HEADERS)
        del self.headers["Content-Length"]  # nobody knows it
        self._parts = parts
        self._gone = gone
        self._send_seconds = send_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 -- ASGI's signature
        """Write until there is no more to write, or nobody to read it."""
        writing = asyncio.ensure_future(self._write(send))
        leaving = asyncio.ensure_future(_left(receive))
        try:
            await asyncio.wait({writing, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._gone()
            for task in (writing, leaving):
                task.cancel()
            ended = await asyncio.gather(writing, leaving, return_exceptions=True)
        if isinstance(ended[0], Exception) and not isinstance(ended[0], TimeoutError):
            raise ended[0]

    async def _write(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        async for part in self._parts:
            async with asyncio.timeout(self._send_seconds):
                await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
