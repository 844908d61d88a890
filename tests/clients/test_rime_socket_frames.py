"""An open stream: what its frames are, and how it ends."""

import asyncio
import base64
import hashlib
import re
import struct

import pytest

from clients import rime_socket
from clients.rime_socket import Door, open_stream
from tests.simulators.live_rime import Tenant

NOW = 1_700_000_000.0


@pytest.fixture
def tenant(clock):
    with Tenant(clock).served() as made:
        yield made


def heard(url, *, after=None, says=()):
    """All texts until the end, and the code of it. `after`: called with the stream and a text."""

    async def run():
        stream = await open_stream(Door(url=url, token="key-1"), now=NOW)
        texts = []

        def take(text):
            texts.append(text)
            if after is not None:
                after(stream, text)

        for text in says:
            stream.say(text)
        code = await stream.listen(take)
        stream.say("too late")
        await stream.close()
        return texts, code

    return asyncio.run(asyncio.wait_for(run(), 10))


def run_of(tenant, **switches):
    """What is heard of a run that has ended, served with these switches, and the close code."""
    tenant.state.finish_run(tenant.run)
    tenant.live.switches.set(**switches)
    return heard(f"{tenant.url}/live/r1")


@pytest.mark.parametrize("code", [1000, 1001, 1008, 1009, 1011, 1012, 1013, 3000, 4401, 4999])
def test_close_codes_come_through(tenant, code):
    """As the server says them; what came before is not lost."""
    texts, found = run_of(tenant, end_code=code)
    assert (len(texts), found) == (1, code)


def test_a_connection_that_breaks(tenant):
    """Without a close frame there is no code."""
    tenant.state.finish_run(tenant.run)
    tenant.live.switches.set(ending="drop")
    texts, code = heard(f"{tenant.url}/live/r1")
    assert (len(texts), code) == (1, None)


def test_binary_frames_are_left_out(tenant):
    """Between texts they cost nothing."""
    texts, _ = run_of(tenant, binary=1)
    assert [text[:8] for text in texts] == ['{"type":']


def test_texts_come_whole_and_unread(tenant):
    """Whatever they hold: what they mean is for others to tell."""
    texts, _ = run_of(tenant, garbage=1, strange=1, duplicates=1)
    assert (len(texts), texts[0]) == (4, "null")


@pytest.mark.parametrize(("size", "code"), [(rime_socket.LARGEST_FRAME, 1009), (900_000, 1000)])
def test_a_frame_over_the_limit(tenant, size, code):
    """The stream ends, with the code for it; below the limit it is a frame like others."""
    tenant.live.switches.set(huge=size, ending="stay" if code == 1009 else "close")

    def end(_stream, _frame):
        if not tenant.run.is_over:
            tenant.state.finish_run(tenant.run)

    texts, found = heard(f"{tenant.url}/live/r1", after=end)
    assert found == code
    assert (max(map(len, texts)) > size) is (code == 1000)
    if code == 1009:
        assert tenant.last().code == 1009


def test_what_is_said_arrives(tenant):
    """In its order; and after the end it goes nowhere, without an error."""

    def answer(stream, _frame):
        stream.say("third")
        stream.end()

    texts, code = heard(f"{tenant.url}/live/r1", after=answer, says=["first", "second"])
    assert (len(texts), code) == (1, 1000)
    assert tenant.last().received == ["first", "second", "third"]
    assert tenant.last().code == 1000


def test_a_silent_peer_can_be_left(tenant):
    """Nothing comes, and `listen` ends all the same once the stream is closed."""
    tenant.live.switches.set(silent=True)

    async def run():
        stream = await open_stream(Door(url=f"{tenant.url}/live/r1", token="key-1"), now=NOW)
        waiting = asyncio.ensure_future(stream.listen(lambda _text: None))
        await asyncio.sleep(0)
        await stream.close()
        return await waiting

    assert asyncio.run(asyncio.wait_for(run(), 10)) == 1000


def frame(head, body):
    """A frame as servers send them, without a mask."""
    return struct.pack("!BB", head, len(body)) + body


@pytest.mark.parametrize(
    ("sent", "texts", "code"),
    [
        (frame(0x81, b"\xff"), [], 1007),
        (frame(0xC1, b"{}"), [], 1002),
        (frame(0x83, b"{}"), [], 1002),
        (frame(0x01, b'{"a"') + frame(0x80, b":1}") + frame(0x88, b""), ['{"a":1}'], 1005),
        (frame(0x81, b"1") + frame(0x88, struct.pack("!H", 1000)), ["1"], 1000),
        (frame(0x81, b"1") + b"\x81\x05ab", ["1"], None),
        (frame(0x81, b""), [""], None),
    ],
)
def test_what_no_good_server_sends(wire, sent, texts, code):
    """Frames that break the rules end it with the code for that; a half of one is no frame."""

    def script(wire, connection):
        wire.read_head(connection)
        key = re.search(rb"(?i)sec-websocket-key: (\S+)", wire.heads[-1]).group(1)
        proof = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()  # noqa: S324
        connection.sendall(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + base64.b64encode(proof) + b"\r\n\r\n" + sent
        )
        if code in (1002, 1007):
            connection.recv(100)

    assert heard(wire(script).url.replace("http", "ws")) == (texts, code)
