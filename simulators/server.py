"""Runs one ASGI app on a real local socket in a thread, for tests, the demo and the bench."""

import asyncio
import contextlib
import socket
import threading
from types import TracebackType
from typing import Self

import uvicorn
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

_STARTS_WITHIN = 10.0
_STOPS_WITHIN = 10.0


class PromptServer(uvicorn.Server):
    """uvicorn, told to start and stop through events instead of being polled.

    Its end waits for nobody: what is in flight is dropped.
    """

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Remember the loop, and say that connections are accepted."""
        await super().startup(sockets)
        self._loop = asyncio.get_running_loop()
        self.listening.set()

    async def main_loop(self) -> None:
        """Until it is told to stop."""
        # Always the first tick: it sets the Date header, and a Date that is a second old would
        # make clients that measure an HTTP-date against it wait for longer than was asked.
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), 0.1)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End at once."""
        # The graceful way waits for held requests; whoever stops a simulator has seen enough.
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        for connection in list(self.server_state.connections):
            transport = getattr(connection, "transport", None)
            if transport is not None:
                transport.abort()
        # Lost connections are noticed in the next turn of the loop: cancelled requests then end
        # without trying to answer.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        tasks = list(self.server_state.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.lifespan.shutdown()

    def stop(self) -> None:
        """Ends the server from any thread."""
        self.should_exit = True
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended by itself
                self._loop.call_soon_threadsafe(self._stop.set)


class LocalServer:
    """`with LocalServer(app) as server:` serves `app` at `server.url` until the block ends.

    Port 0 takes a free one. OSError if the port is taken; RuntimeError if the app does not start.
    """

    def __init__(self, app: ASGIApp, host: str = "127.0.0.1", port: int = 0) -> None:
        self._app = app
        self._address = (host, port)
        self._server: PromptServer | None = None
        self._thread: threading.Thread | None = None
        self.host = host
        self.port = port

    @property
    def url(self) -> str:
        """`http://host:port`, without a slash at the end."""
        return f"http://{self.host}:{self.port}"

    def start(self) -> None:
        """Returns once connections are accepted."""
        listener = socket.create_server(self._address, backlog=2048)
        self.port = listener.getsockname()[1]
        # No log level here: uvicorn's loggers belong to the whole process.
        config = uvicorn.Config(
            self._until_cancelled,
            interface="asgi3",
            proxy_headers=False,
            log_config=None,
            access_log=False,
            server_header=False,
            backlog=2048,
            timeout_keep_alive=60,
            # Named, so that what else is installed makes no other server of it. Compression would
            # cost each socket more memory than all the rest.
            ws="websockets-sansio",
            ws_per_message_deflate=False,
        )
        self._server = server = PromptServer(config)
        self._thread = threading.Thread(
            target=server.run, args=([listener],), name=f"simulator-{self.port}", daemon=True
        )
        self._thread.start()
        if not server.listening.wait(_STARTS_WITHIN):
            self.stop()
            listener.close()
            raise RuntimeError(f"the server for {self.url} did not start; its log says why")

    def stop(self) -> None:
        """Drops what is in flight and returns once the thread has ended; harmless twice."""
        if self._server is not None and self._thread is not None:
            self._server.stop()
            self._thread.join(_STOPS_WITHIN)
            if self._thread.is_alive():
                raise RuntimeError(f"the server at {self.url} did not stop")
        self._server = self._thread = None

    async def _until_cancelled(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            with contextlib.suppress(ClientDisconnect):  # killed, or out of patience
                await self._app(scope, receive, send)
        except asyncio.CancelledError:
            if scope["type"] == "lifespan":
                raise

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
