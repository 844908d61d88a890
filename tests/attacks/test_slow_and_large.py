"""Callers that are slow without end, or send without end: others are served meanwhile."""

import asyncio
import contextlib
import time

import pytest

from tests.attacks.conftest import Web
from tests.blackbox.house import SECRET
from webhooks import protocol

pytestmark = pytest.mark.blackbox

EACH = 250  # connections of each kind
EVERY = 1.0  # seconds between two bytes
GONE_AFTER = max(protocol.HEAD_SECONDS, protocol.BODY_SECONDS) + protocol.LINGER_SECONDS + 8
GIGABYTE = 10**9
MIB = 1024 * 1024
DOOR = f"POST /beeminder/autofetch/{SECRET} HTTP/1.1\r\nHost: x\r\n".encode()
SLOW = {
    "heads": (b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: ", b"a"),
    "bodies": (DOOR + b"Content-Length: 60000\r\n\r\nusername=", b"a"),
    "chunks": (DOOR + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n"),
    "bodies that nobody reads": (
        b"POST /no HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\n",
        b"a",
    ),
    "blank lines": (b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", b"\r\n"),
    "nothing": (b"", b""),
}


class Crowd:
    """Connections that go on for as long as they are let."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.address = address
        self.open: dict[str, int] = dict.fromkeys(SLOW, 0)

    async def dribble(self, kind: str) -> None:
        """One of them, to its end."""
        begin, rest = SLOW[kind]
        reader, writer = await asyncio.open_connection(*self.address)
        self.open[kind] += 1
        with contextlib.suppress(ConnectionError):
            writer.write(begin)
            while True:
                with contextlib.suppress(TimeoutError):
                    if await asyncio.wait_for(reader.read(65536), EVERY) == b"":
                        break
                writer.write(rest)
        self.open[kind] -= 1
        writer.close()


async def served(web: Web, seconds: float) -> list[float]:
    """How long each of some honest requests took meanwhile."""
    took = []
    ends_at = time.monotonic() + seconds
    while time.monotonic() < ends_at:
        began = time.monotonic()
        health = await asyncio.to_thread(web.house.http.get, "/healthz")
        answer = await asyncio.to_thread(web.house.autofetch)
        took.append(time.monotonic() - began)
        assert (health.status_code, answer.json()) == (200, {"status": "late"})
        await asyncio.sleep(0.2)
    return took


def test_a_crowd_that_dribbles_keeps_nobody_out(web: Web) -> None:
    """1,500 slow callers of six kinds: callbacks are stored and answered, and all of them end."""
    before = web.memory()

    async def all_of_it() -> tuple[list[float], dict[str, int]]:
        crowd = Crowd(web.address)
        tasks = [asyncio.create_task(crowd.dribble(kind)) for kind in SLOW for _ in range(EACH)]
        took = await served(web, 6)
        assert sum(crowd.open.values()) > EACH
        _, left = await asyncio.wait(tasks, timeout=GONE_AFTER)
        for task in left:
            task.cancel()
        return took, crowd.open

    took, left = asyncio.run(all_of_it())

    assert left == dict.fromkeys(SLOW, 0)
    assert len(took) > 3
    assert max(took) < 10  # on a machine that has other things to do
    assert web.memory() - before < 60


async def pour(address: tuple[str, int], head: bytes, piece: bytes) -> tuple[bytes, int]:
    """Send a gigabyte, or what is taken of it; the first line of the answer, and how much went."""
    reader, writer = await asyncio.open_connection(*address)
    sent = 0
    answer = b""
    with contextlib.suppress(ConnectionError):
        writer.write(head)
        while sent < GIGABYTE and not answer:
            writer.write(piece)
            await writer.drain()
            sent += len(piece)
            with contextlib.suppress(TimeoutError):
                answer = await asyncio.wait_for(reader.read(200), 0.001)
        answer = answer or await reader.read(200)
    writer.transport.abort()
    return answer.partition(b"\r\n")[0], sent


PIECE = b"x" * 65536
TOO_LARGE = b"HTTP/1.1 413 Request Entity Too Large"
CUT_OFF = b""
LARGE = {
    "declared": (b"Content-Length: 1000000000\r\n\r\n", PIECE, TOO_LARGE),
    "chunked": (b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + PIECE + b"\r\n", TOO_LARGE),
    "one chunk": (b"Transfer-Encoding: chunked\r\n\r\n3b9aca00\r\n", PIECE, TOO_LARGE),
    "chunk head": (b"Transfer-Encoding: chunked\r\n\r\n1;", PIECE, CUT_OFF),
    "trailers": (b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: ", PIECE, CUT_OFF),
}


@pytest.mark.parametrize("how", LARGE)
def test_a_gigabyte_is_refused_early(web: Web, how: str) -> None:
    """Twenty of them at once: each is told so, or cut off, after a few MB, and none is kept."""
    head, piece, expected = LARGE[how]
    before = web.memory()

    async def twenty() -> list[tuple[bytes, int]]:
        async with asyncio.timeout(60):
            return await asyncio.gather(*(pour(web.address, DOOR + head, piece) for _ in range(20)))

    answers = asyncio.run(twenty())

    # The answer may be lost with a connection that ends while more is being sent.
    assert {answer for answer, _ in answers} <= {expected, CUT_OFF}
    assert sum(sent for _, sent in answers) / len(answers) < 12 * MIB
    assert web.most_memory() - before < 60
    assert web.house.autofetch().json() == {"status": "late"}
