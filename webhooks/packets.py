"""The head of an answer leaves with its body: one system call, one packet.

uvicorn writes the one and then the other, and each is sent at once. To send costs more than all
that is done to find out what to send.
"""

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle


class HeadWithBody:
    """What stands in for the transport of one answer; `flush` has to be called at its end.

    A head waits only where the length of what follows is known, so that it follows at once: nobody
    knows when the first part of a stream comes.
    """

    __slots__ = ("_cycle", "_head", "_transport", "is_closing")

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle = cycle
        self._transport = cycle.transport
        self._head: bytes | None = None  # b"": it has left
        self.is_closing = cycle.transport.is_closing

    def write(self, data: bytes) -> None:
        """The head, a part of the body, or what comes before both (100 Continue)."""
        cycle = self._cycle
        if self._head is None and cycle.response_started:
            if cycle.chunked_encoding is False:
                self._head = data
                return
            self._head = b""
        if self._head:
            data, self._head = self._head + data, b""
        self._transport.write(data)

    def flush(self) -> None:
        """Send a head that nothing follows, as that of an answer to HEAD."""
        if self._head:
            self._transport.write(self._head)
            self._head = b""

    def close(self) -> None:
        """Close the connection when all is sent."""
        self.flush()
        self._transport.close()
