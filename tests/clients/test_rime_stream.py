"""How the texts of a stream are handed on: in the turn in which they came, and without a queue."""

import asyncio
import base64
import hashlib
import json
import re
import struct

import pytest

from clients.rime_socket import Door, open_stream

NOW = 1_700_000_000.0
TEXT, BINARY, MORE, LAST = 0x01, 0x02, 0x00, 0x80
CLOSED = struct.pack("!BBH", 0x88, 2, 1000)


def frame(head, body=b""):
    """A frame as servers send them, without a mask."""
    size = struct.pack("!B", len(body)) if len(body) < 126 else struct.pack("!BH", 126, len(body))
    return bytes([head]) + size + body


def upgraded(wire, connection, more=b""):
    """Let a client in; what else is sent goes out in the same segment."""
    wire.read_head(connection)
    key = re.search(rb"(?i)sec-websocket-key: (\S+)", wire.heads[-1]).group(1)
    proof = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()  # noqa: S324
    connection.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + base64.b64encode(proof) + b"\r\n\r\n" + more
    )


def listened(server, take, *, pause=0):
    """Listen until the end, after so many turns of the loop; the code of it."""

    async def run():
        stream = await open_stream(Door(url=server.url.replace("http", "ws"), token="k"), now=NOW)
        for _ in range(pause):
            await asyncio.sleep(0)
        try:
            return await stream.listen(lambda text: take(stream, text))
        finally:
            await stream.close()

    return asyncio.run(asyncio.wait_for(run(), 20))


def texts_of(wire, sent, **more):
    """The texts that come of these bytes."""

    def script(wire, connection):
        upgraded(wire, connection, sent)
        connection.recv(100)

    texts = []
    code = listened(wire(script), lambda _stream, text: texts.append(text), **more)
    return texts, code


@pytest.mark.parametrize("pause", [0, 1, 100])
def test_what_comes_with_the_answer_is_not_lost(wire, pause):
    """However long it takes until somebody listens, all of it is there, and in its order."""
    sent = b"".join(frame(LAST | TEXT, str(number).encode()) for number in range(500))
    texts, code = texts_of(wire, sent + CLOSED, pause=pause)
    assert texts == [str(number) for number in range(500)]
    assert code == 1000


def test_nobody_listens_and_little_is_read(wire):
    """A server that sends without end waits for us: what is not heard does not pile up here."""
    sent, flood = [], frame(LAST | TEXT, b"x" * 60_000)

    def script(wire, connection):
        upgraded(wire, connection)
        connection.settimeout(0.5)
        for _ in range(2_000):
            try:
                sent.append(connection.send(flood))
            except TimeoutError:
                break

    async def run():
        server = wire(script)
        url = server.url.replace("http", "ws")
        stream = await open_stream(Door(url=url, token="k"), now=NOW)
        await asyncio.to_thread(server.thread.join, 10)
        early = sum(map(len, stream._connection._early))
        await stream.close()
        return early

    early = asyncio.run(asyncio.wait_for(run(), 20))
    assert sum(sent) < 2_000 * len(flood)
    assert early < 1_000_000


@pytest.mark.parametrize(
    ("sent", "texts"),
    [
        ([(TEXT, b"a"), (MORE, b"b"), (LAST | MORE, b"c")], ["abc"]),
        ([(TEXT, b"\xc3"), (LAST | MORE, b"\xa9")], ["\u00e9"]),
        ([(TEXT, b"a"), (LAST | 0x09, b"ping"), (LAST | MORE, b"b")], ["ab"]),
        ([(BINARY, b"a"), (LAST | MORE, b"b"), (LAST | TEXT, b"c")], ["c"]),
        ([(TEXT, b"a"), (LAST | MORE, b"b"), (LAST | BINARY, b"x")], ["ab"]),
        ([(TEXT, b""), *[(MORE, b"")] * 9000, (LAST | MORE, b"a")], ["a"]),
    ],
)  # fmt: skip
def test_parts_of_a_text(wire, sent, texts):
    """They come as one, whatever stands between them; those of binary ones as none."""
    frames = b"".join(frame(head, body) for head, body in sent)
    assert texts_of(wire, frames + CLOSED) == (texts, 1000)


def test_parts_that_are_too_big_together(wire):
    """The limit is for a text, not for a part of it."""
    part = b"x" * 60_000
    sent = frame(TEXT, part) + frame(MORE, part) * 17
    assert texts_of(wire, sent) == ([], 1009)


def test_nothing_is_heard_after_the_end(wire):
    """Not even what came in the same segment."""
    texts = []

    def take(stream, text):
        texts.append(text)
        stream.end()

    def script(wire, connection):
        upgraded(wire, connection, frame(LAST | TEXT, b"1") + frame(LAST | TEXT, b"2") + CLOSED)
        connection.recv(100)

    assert listened(wire(script), take) == 1000
    assert texts == ["1"]


def test_a_fault_of_who_listens_is_theirs(wire):
    """It is no end of the stream that would be taken for the server's, and it is not swallowed."""

    def script(wire, connection):
        upgraded(wire, connection, frame(LAST | TEXT, b"1") + frame(LAST | TEXT, b"2"))
        connection.recv(100)

    def take(_stream, _text):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        listened(wire(script), take)


def test_a_peer_that_reads_nothing_is_left(wire):
    """Its questions are answered into the void for so long, and then it is taken for gone."""
    asked = json.dumps({"type": "ping", "id": "x" * 100}).encode()

    def script(wire, connection):
        upgraded(wire, connection)
        try:
            while True:
                connection.sendall(frame(LAST | TEXT, asked) * 100)
        except OSError:
            pass

    assert listened(wire(script), lambda stream, text: stream.say(text * 10)) is None
