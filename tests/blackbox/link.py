"""A TCP link between Waggle and a broker that a test cuts, freezes and mends."""

import contextlib
import selectors
import socket
import struct
import threading
from types import TracebackType
from typing import Self

CHUNK = 65536
RESET = struct.pack("ii", 1, 0)


class Link:
    """Forwards a free loopback port to another one.

    `cut`: connections are reset and new ones refused. `freeze`: the peer accepts, reads nothing
    and says nothing; `unheard` is set when it was told something then.
    `mend`: forwards again.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._lock = threading.Lock()
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self._waiting: list[socket.socket] = []
        self._frozen = threading.Event()
        self.unheard = threading.Event()
        self._listener: socket.socket | None = None
        self._acceptor: threading.Thread | None = None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])

    def __enter__(self) -> Self:
        self._listen()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.cut()

    @property
    def held(self) -> int:
        """Connections that were accepted while it was frozen, and are silent."""
        with self._lock:
            return len(self._waiting)

    def cut(self) -> None:
        """The broker is down."""
        with self._lock:
            listener, self._listener = self._listener, None
        if listener is not None:
            listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
            listener.close()
        if self._acceptor is not None:
            self._acceptor.join(10)  # what it has just accepted is to be reset as well
        self._reset_all()

    def freeze(self) -> None:
        """The broker accepts and says nothing; so do the connections that are open."""
        self._frozen.set()

    def mend(self, *, reset: bool = True) -> None:
        """The broker is back. Without `reset` old connections stay open and silent for ever."""
        self._frozen.clear()
        if reset:
            self._reset_all()
        if self._listener is None:
            self._listen()

    def _listen(self) -> None:
        listener = socket.create_server(("127.0.0.1", self.port), backlog=64)
        self._listener = listener
        self._acceptor = threading.Thread(target=self._accept, args=(listener,), daemon=True)
        self._acceptor.start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            if self._frozen.is_set():
                with self._lock:
                    self._waiting.append(near)
                continue
            try:
                far = socket.create_connection(("127.0.0.1", self._target), 5)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            with self._lock:
                self._pairs.add((near, far))
            threading.Thread(target=self._forward, args=(near, far), daemon=True).start()

    def _forward(self, near: socket.socket, far: socket.socket) -> None:
        other = {near: far, far: near}
        with selectors.DefaultSelector() as ready, contextlib.suppress(OSError, ValueError):
            for end in other:
                ready.register(end, selectors.EVENT_READ)
            while True:
                for key, _ in ready.select(0.5):
                    end = key.fileobj
                    assert isinstance(end, socket.socket)
                    data = end.recv(CHUNK)
                    if self._frozen.is_set():
                        self.unheard.set()
                        return  # with what was read; the pair stays open and silent
                    if not data:
                        self._drop(near, far)
                        return
                    other[end].sendall(data)
        self._drop(near, far)

    def _drop(self, near: socket.socket, far: socket.socket) -> None:
        with self._lock:
            if (near, far) not in self._pairs:
                return
            self._pairs.discard((near, far))
        near.close()
        far.close()

    def _reset_all(self) -> None:
        with self._lock:
            ends = [end for pair in self._pairs for end in pair] + self._waiting
            self._pairs.clear()
            self._waiting.clear()
        for end in ends:
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                end.shutdown(socket.SHUT_RDWR)  # wakes the thread that reads
            end.close()
